"""SequenceEventLoop: asyncio on a sequence, whatever thread that is on."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import weakref
from asyncio.base_events import _format_handle  # type: ignore[attr-defined]
from asyncio.events import _get_running_loop, _set_running_loop
from asyncio.log import logger
from threading import get_ident
from warnings import warn

from mojo_seq import _core
from mojo_seq.sequence.asyncio_task_runner import AsyncioTaskRunner
from mojo_seq.sequence.loop_closing import end_everything
from mojo_seq.sequence.loop_handles import LoopTimer, ReadyHandle
from mojo_seq.sequence.loop_selector import LoopSelector
from mojo_seq.sequence.task_runner import SequencedTaskRunner
from mojo_seq.sequence.threadless_event_loop import ThreadlessEventLoop

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context
    from typing import Any, TypeVar, TypeVarTuple

    _T = TypeVar("_T")
    _Ts = TypeVarTuple("_Ts")

# Callbacks in a turn. Starting one takes as long as a callback or two; others wait for its end.
_MOST_CALLBACKS = 64
_LONGEST = 1e9  # seconds; asyncio allows for any delay


def event_loop_of(runner: SequencedTaskRunner) -> asyncio.AbstractEventLoop:
    """The event loop for coroutines on `runner`: its own, or a new SequenceEventLoop, for the
    caller to keep and to close."""
    if isinstance(runner, AsyncioTaskRunner):
        return runner._loop
    return SequenceEventLoop(runner)


class SequenceEventLoop(ThreadlessEventLoop):
    """An asyncio event loop whose callbacks run in tasks of a sequence.

    All of asyncio works on it, subprocesses too, but for signal handlers, and for running the loop:
    the sequence does. A turn of the loop is one task; others of the sequence come in between.
    Delayed calls are delayed tasks. Waiting for I/O takes a descriptor and a thread, which all
    such loops share; until then a loop has neither.

    Waiting coroutines do not keep the loop; keep it, and `close()` it. When the sequence was shut
    down, what is ready no longer runs until `close()`; a loop that finds out on its sequence
    closes itself.

    Args:
        runner: any task runner but an AsyncioTaskRunner, see `event_loop_of`.

    Threads: as asyncio's loops, with "the loop's thread" read as "the sequence".
    """

    def __init__(self, runner: SequencedTaskRunner) -> None:
        if not isinstance(runner, SequencedTaskRunner):
            raise TypeError(f"runner must be a SequencedTaskRunner, not {type(runner).__name__}")
        self._runner = runner
        self._process = os.getpid()
        self._queued = False  # a turn is queued on the sequence, or under way
        self._closing_thread: int | None = None
        self._turns_to_arm = 0  # turns until the selector is armed, for at most two; 0: it is
        self._tasks: list[weakref.ref[asyncio.Task[Any]]] = []  # also some that are done
        self._most_tasks = 64
        self._timers: set[LoopTimer] = set()
        super().__init__(LoopSelector(weakref.ref(self)))

    # Callbacks

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Runs `callback(*args)` in a later task of the sequence.

        Raises:
            RuntimeError: the loop is closed.
            ShutdownError: the sequence was shut down.
        """
        handle: asyncio.Handle
        if self._closed or self._debug:
            self._check_closed()
            self._check_thread()
            handle = self._checked_handle("call_soon", callback, args, context)
        else:
            handle = ReadyHandle(callback, args, self, context)
        self._ready.append(handle)
        if not self._queued:
            self._queue_turn()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """The same, from any thread."""
        handle: asyncio.Handle
        if self._closed or self._debug:
            handle = self._checked_handle("call_soon_threadsafe", callback, args, context)
        else:
            handle = ReadyHandle(callback, args, self, context)
        self._ready.append(handle)
        if not self._queued:
            self._queue_turn()
        return handle

    def _checked_handle(
        self,
        method: str,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> asyncio.Handle:
        self._check_closed()
        self._check_callback(callback, method)
        handle = asyncio.Handle(callback, args, self, context)
        del handle._source_traceback[-2:]  # type: ignore[attr-defined]  # our own two frames
        return handle

    def _check_thread(self) -> None:
        """In debug mode. asyncio's own only knows about a running loop."""
        here = get_ident() in (self._thread_id, self._closing_thread)
        here = here or self._runner.runs_tasks_in_current_sequence()
        if self._debug and not here:
            raise RuntimeError(
                "Non-thread-safe operation invoked on an event loop from outside its sequence"
            )

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Runs `callback(*args)` when `time()` is `when`, or a little later."""
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        timer = LoopTimer(when, callback, args, self, context)
        if self._debug:
            del timer._source_traceback[-1]  # type: ignore[attr-defined]
        delay = min(max(when - self.time(), 0.0), _LONGEST)
        # Without keeping the loop: what waits for time alone must not make it live for ever.
        timer.posted = self._runner.post_delayed_task(delay, _on_due, weakref.ref(timer))
        timer._scheduled = True
        self._timers.add(timer)
        return timer

    def _timer_handle_cancelled(self, timer: LoopTimer) -> None:
        """Called by asyncio's handle."""
        if timer._scheduled:
            self._timers.discard(timer)
            timer._scheduled = False
            timer.posted.cancel()

    def time(self) -> float:
        """Seconds on the clock of delayed tasks."""
        return _core.monotonic()

    def create_task(  # type: ignore[override]  # later versions have more options
        self, coro: Coroutine[Any, Any, _T], **options: Any
    ) -> asyncio.Task[_T]:
        """Runs a coroutine on the sequence; `name` and `context` as in asyncio."""
        task = super().create_task(coro, **options)
        self._tasks.append(weakref.ref(task))
        if len(self._tasks) > self._most_tasks:
            self._tasks = [weakref.ref(each) for each in self._tasks_to_do()]
            self._most_tasks = max(64, 2 * len(self._tasks))
        return task

    def _tasks_to_do(self) -> list[asyncio.Task[Any]]:
        """asyncio.all_tasks() looks at those of all loops."""
        tasks = [task() for task in self._tasks]
        return [task for task in tasks if task is not None and not task.done()]

    # Turns

    def _queue_turn(self) -> None:
        self._queued = True
        try:
            self._runner.post_task(self._turn)
        except _core.ShutdownError:
            self._queued = False
            if self._runner.runs_tasks_in_current_sequence():
                self.close()
            raise

    def _turn(self) -> None:
        """The task of the sequence that `_queued` tells of."""
        if not self._closed:
            try:
                self._run_ready()
            finally:
                self._after_turn()

    def _extra_turn(self) -> None:
        """In a task that a timer or I/O has led to."""
        queued, self._queued = self._queued, True
        try:
            self._run_ready()
        finally:
            if not queued:
                self._after_turn()

    def _after_turn(self) -> None:
        if self._turns_to_arm:
            self._turns_to_arm -= 1
            if self._turns_to_arm == 0 or not self._ready:
                self._poll_or_arm()
        # In this order: whoever appends now either sees that no turn is queued, or is seen.
        self._queued = False
        if self._ready:
            self._queued = True
            try:
                self._runner.post_task(self._turn)
            except _core.ShutdownError:
                self.close()

    def _run_ready(self) -> None:
        """Runs what is ready, and some of what becomes ready by that. The rest waits until other
        tasks of the sequence had their turn."""
        ready = self._ready
        previous_loop = _get_running_loop()
        previous_hooks = sys.get_asyncgen_hooks()
        self._thread_id = get_ident()
        _set_running_loop(self)
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        if self._debug:
            self._set_coroutine_origin_tracking(True)
        try:
            for _ in range(_MOST_CALLBACKS):
                if not ready:
                    break
                handle = ready.popleft()
                if self._debug:
                    self._run_in_debug_mode(handle)
                elif not handle._cancelled:
                    handle._run()
        finally:
            handle = None  # type: ignore[assignment]  # in case that an exception keeps the frame
            if self._coroutine_origin_tracking_enabled:
                self._set_coroutine_origin_tracking(False)
            sys.set_asyncgen_hooks(*previous_hooks)
            _set_running_loop(previous_loop)
            self._thread_id = None

    def _run_in_debug_mode(self, handle: asyncio.Handle) -> None:
        if handle._cancelled:
            return
        self._current_handle = handle
        started = time.monotonic()
        try:
            handle._run()
        finally:
            self._current_handle = None
        took = time.monotonic() - started
        if took >= self.slow_callback_duration:
            logger.warning("Executing %s took %.3f seconds", _format_handle(handle), took)

    # I/O

    def _on_selector(self) -> None:
        """On the selector's thread: there is something to poll."""
        self._runner.post_task(self._poll)

    def _poll(self) -> None:
        if not self._closed:
            self._take_events(self._selector.select(0))
            self._extra_turn()

    def _take_events(self, events: list[Any]) -> None:
        # Not armed at once: what is ready is often dealt with by a coroutine that the callback
        # wakes, a round later.
        self._turns_to_arm = 2
        self._process_events(events)

    def _poll_or_arm(self) -> None:
        """Polls once more, since coming back by way of the selector's thread takes long."""
        self._turns_to_arm = 0
        events = self._selector.select(0)
        if events:
            self._take_events(events)
        else:
            self._selector.arm()

    # The end

    def close(self) -> None:
        """Ends everything: cancels the tasks and lets them run to their end, aborts transports,
        kills subprocesses, closes asynchronous generators, drops timers. Idempotent.

        Tasks that wait for anything in spite of being cancelled are reported to the exception
        handler, and left. To be called on the sequence, but not in a callback of this loop; or
        when the sequence does not run any more. It all happens on the calling thread.

        Raises:
            RuntimeError: called in a callback or coroutine of the loop.
        """
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self._closed:
            return
        self._queued = True  # nothing is posted any more
        self._closing_thread = get_ident()
        try:
            if os.getpid() == self._process:
                end_everything(self)
        finally:
            self._release()

    def _release(self) -> None:
        """Lets go of timers, descriptors and threads."""
        timers, self._timers = self._timers, set()
        for timer in timers:
            timer.posted.cancel()
        self._let_go_of_executor()
        super().close()

    def __del__(self) -> None:
        # Runs no callbacks: this may be any thread. Without a runner, __init__ had failed.
        if not getattr(self, "_closed", True):
            self._release()
            warn(f"unclosed event loop {self!r}", ResourceWarning, source=self, stacklevel=2)


def _on_due(waiting: weakref.ref[LoopTimer]) -> None:
    timer = waiting()
    if timer is not None and timer._scheduled:
        loop: SequenceEventLoop = timer._loop
        loop._timers.discard(timer)
        timer._scheduled = False
        loop._ready.append(timer)
        loop._extra_turn()
