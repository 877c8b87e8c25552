"""OneShotTimer and RepeatingTimer: calls that are put off, and gone with their timer."""

from __future__ import annotations

import sys
import weakref
from contextlib import suppress
from math import floor

from mojo_seq import _core
from mojo_seq.sequence.asyncio_task_runner import AsyncioTaskRunner
from mojo_seq.sequence.task_runner import SequencedTaskRunner

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVarTuple

    _Ts = TypeVarTuple("_Ts")

_clock = _core.monotonic


def _is_current(runner: SequencedTaskRunner) -> bool:
    """Whether this is the sequence. Coroutines of an event loop are no tasks of a sequence on it,
    but never run beside them."""
    if isinstance(runner, AsyncioTaskRunner):
        running: object = sys.modules["asyncio"]._get_running_loop()
        return running is runner._loop
    return runner.runs_tasks_in_current_sequence()


class _Timer:
    """What both kinds have in common: one delayed call, which does not keep the timer."""

    __slots__ = ("__weakref__", "_actor", "_args", "_callback", "_delay", "_pending", "_runner")

    def __init__(self, *, task_runner: SequencedTaskRunner | None = None) -> None:
        self._pending: Any = None  # with cancel(); first, since __del__ looks for it
        self._callback: Callable[..., object] | None = None
        self._args: tuple[Any, ...] = ()
        self._delay = 0.0
        self._actor: Any = None  # the one that made it; it ends its calls when it ends
        if task_runner is None:
            actor = _core.current_cell()
            # Context variables tell of actors also in what they have posted elsewhere.
            if actor is not None and _is_current(actor.runner):
                self._actor = actor
                task_runner = actor.runner
            else:
                task_runner = SequencedTaskRunner.current()
        elif not isinstance(task_runner, SequencedTaskRunner):
            name = type(task_runner).__name__
            raise TypeError(f"task_runner must be a SequencedTaskRunner, not {name}")
        self._runner: SequencedTaskRunner = task_runner

    @property
    def is_running(self) -> bool:
        """True while a call is ahead."""
        return self._pending is not None

    @property
    def delay(self) -> float:
        """Seconds, as given to `start()`; 0.0 before."""
        return self._delay

    @property
    def task_runner(self) -> SequencedTaskRunner:
        """The sequence that the callback runs on."""
        return self._runner

    def start(self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Starts, or starts anew with another delay and callback. On the timer's sequence.

        Args:
            delay: seconds on the monotonic clock.
            callback: called with `args`. What it raises is reported as any task's; in an actor's
                timer it is the actor's failure.

        Raises:
            RuntimeError: called from elsewhere.
            InvalidArgumentError: a delay that is not finite; not above 0 in a RepeatingTimer.
            ShutdownError: the sequence was shut down.
        """
        self._check_sequence()
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {type(callback).__name__}")
        self._begin(delay)
        self._delay = float(delay)
        self._callback = callback
        self._args = args

    def reset(self) -> None:
        """Begins the delay anew. On the timer's sequence.

        Raises:
            RuntimeError: called from elsewhere, or there is no callback: the timer was not started.
            ShutdownError: the sequence was shut down.
        """
        self._check_sequence()
        if self._callback is None:
            raise RuntimeError("the timer has no callback: it was not started")
        self._begin(self._delay)

    def stop(self) -> None:
        """The callback is not called any more. On the timer's sequence; idempotent.

        Raises:
            RuntimeError: called from elsewhere.
        """
        self._check_sequence()
        self._cancel()
        self._callback = None
        self._args = ()

    def _check_sequence(self) -> None:
        if not _is_current(self._runner):
            raise RuntimeError(f"the timer is to be used on its sequence only, {self._runner!r}")

    def _begin(self, delay: float) -> None:
        raise NotImplementedError

    def _post(self, delay: float) -> None:
        """Replaces the call ahead; if that raises, it stays."""
        call = _Call(weakref.ref(self))
        if self._actor is not None:
            pending = self._actor.call_later(delay, call, ())
        else:
            pending = self._runner.post_delayed_task(delay, call)
        self._cancel()
        self._pending = pending

    def _cancel(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    def _run(self) -> None:
        raise NotImplementedError

    def __del__(self) -> None:
        if getattr(self, "_pending", None) is not None:
            self._cancel()

    def __repr__(self) -> str:
        state = "running" if self.is_running else "stopped"
        return f"<{type(self).__name__} {state} delay={self._delay}>"


class _Call:
    """What is posted. It does not keep the timer, and shows whose it is."""

    __slots__ = ("_timer",)

    def __init__(self, timer: weakref.ref[_Timer]) -> None:
        self._timer = timer

    def __call__(self) -> None:
        timer = self._timer()
        if timer is not None:
            timer._run()

    def __repr__(self) -> str:
        return f"<call of {self._timer()!r}>"


class OneShotTimer(_Timer):
    """Calls a callback once, after a delay, unless it is stopped or dropped before.

    To be kept by whoever needs the call: with the timer the call is gone. A timer that an actor
    makes also ends with the actor, and waits for an async method that is under way, as messages do.

    Args:
        task_runner: the sequence that it belongs to; None: the current one.

    Raises:
        RuntimeError: no task_runner is given, and this is no task of a sequence.
    """

    __slots__ = ()

    def _begin(self, delay: float) -> None:
        self._post(delay)

    def _run(self) -> None:
        callback, args = self._callback, self._args
        # Before the call, which may start the timer again, and as Mojo's: what is done is let go.
        self._pending = None
        self._callback = None
        self._args = ()
        assert callback is not None
        callback(*args)


class RepeatingTimer(_Timer):
    """Calls a callback every so many seconds, until it is stopped or dropped.

    The calls come at `start + n * delay`, however long they take or are late: they do not drift.
    Those that were missed, since one took longer than the delay or the sequence was busy, are left
    out; they do not pile up. One that raises is reported, and the timer goes on. After `stop()`,
    `start()` it again. Otherwise as OneShotTimer.
    """

    __slots__ = ("_started", "_tick")

    def __init__(self, *, task_runner: SequencedTaskRunner | None = None) -> None:
        super().__init__(task_runner=task_runner)
        self._started = 0.0
        self._tick = 0  # the number of the call ahead

    def _begin(self, delay: float) -> None:
        if not delay > 0:
            raise _core.InvalidArgumentError(f"delay must be more than 0 seconds, got {delay}")
        started = _clock()
        self._post(delay)
        self._started = started
        self._tick = 1

    def _run(self) -> None:
        callback, args = self._callback, self._args
        assert callback is not None
        self._pending = None
        now = _clock()
        missed = floor((now - self._started) / self._delay)
        self._tick = max(self._tick, missed) + 1
        # Before the call, which may stop the timer or raise. At a shutdown it is the last one.
        with suppress(_core.ShutdownError):
            self._post(max(0.0, self._started + self._tick * self._delay - now))
        callback(*args)
