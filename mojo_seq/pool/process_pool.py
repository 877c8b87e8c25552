"""ProcessPool: worker processes that are there when they are needed."""

from __future__ import annotations

import os
import weakref
from operator import index
from warnings import warn

from mojo_seq import _core
from mojo_seq.pool.worker_fleet import WorkerFleet
from mojo_seq.process import spawn_arguments

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Never, Self, SupportsIndex

    from mojo_seq.pool.pool_worker import PoolWorker


class ProcessPool:
    """Worker processes: fresh interpreters that are started one by one as they are needed, and
    replaced when they die.

    A worker that ends within a second, or whose initializer fails, is replaced when its place is
    needed again, and not at once: after 50 ms, and after each more such death twice as long, up
    to a second. Leaving a `with` block, or the interpreter's exit, shuts the pool down, and when
    this process dies, so do the workers, at once. They do not hear of Ctrl-C. Any thread; in a
    forked child the pool is dead.

    Args:
        max_workers: the most workers; None: one for each CPU that this process may use.
        initializer: called in each worker before all else, on its main thread. If it raises, the
            worker ends, and its `exit_reason()` says why.
        initargs: for the initializer.

    Raises:
        TypeError, AttributeError, pickle.PicklingError: initializer or initargs cannot be pickled,
            or not be imported by another interpreter; a note tells which.
        InvalidArgumentError: there are handles in initargs, which cannot be sent to all workers.
    """

    def __init__(
        self,
        max_workers: SupportsIndex | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
    ) -> None:
        size = len(os.sched_getaffinity(0)) if max_workers is None else index(max_workers)
        if size < 1:
            raise _core.InvalidArgumentError(f"max_workers must be at least 1, not {size}")
        self._size = size
        self._fleet = WorkerFleet(size, _pack_initializer(initializer, tuple(initargs)))
        self._finalizer = weakref.finalize(self, _finalize, self._fleet, repr(self))
        self._finalizer.atexit = False

    @property
    def max_workers(self) -> int:
        """How many workers there are at most."""
        return self._size

    def choose_worker(self) -> PoolWorker:
        """The worker to run the next service on: the one with the least load.

        Of several, it is one that need not wait for its start after an early death, and of those
        the one that was not chosen for the longest time: so a worker that was not needed yet comes
        before one that has something to do.

        Raises:
            ShutdownError: the pool was shut down, or belongs to the process that forked this one.
        """
        self._fleet.check_open()
        return self._fleet.choose()

    def __actor_workers__(self) -> Sequence[PoolWorker]:
        """The workers of now, of which some may not have been started; actors live on them.

        Raises:
            ShutdownError: the pool was shut down, or belongs to the process that forked this one.
        """
        return self._fleet.workers()

    def shutdown(self, wait: bool = True) -> None:
        """Ends the workers. Nothing can be opened from the start of this call.

        The services' pipes are closed at their end. A worker whose services do not return is ended
        by force: it has 5 s, is terminated then, and killed 2 s later. Repeating the call is
        harmless, and waits. Ctrl-C while it waits kills the workers.

        Args:
            wait: return when nothing is left of the workers; else they end in the background.

        Raises:
            RuntimeError: called by a handler of the workers' log, which the pool would wait for.
        """
        self._finalizer.detach()
        self._fleet.close()
        if wait:
            self._fleet.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()

    def __reduce__(self) -> Never:
        raise TypeError("a ProcessPool cannot be copied or pickled")

    def __repr__(self) -> str:
        state = "" if self._fleet.is_open else " shut down"
        return f"<ProcessPool max_workers={self._size}{state}>"


def _pack_initializer(
    initializer: Callable[..., object] | None, args: tuple[Any, ...]
) -> bytes | None:
    if initializer is None:
        return None
    if not callable(initializer):
        raise TypeError(f"initializer must be callable, not {type(initializer).__name__}")
    payload, handles = spawn_arguments.pack({}, initializer, args, caller="ProcessPool")
    if handles:
        raise _core.InvalidArgumentError(f"{handles[0]!r} cannot be sent to more than one worker")
    return payload


def _finalize(fleet: WorkerFleet, name: str) -> None:
    """The pool was dropped: its workers end, and nobody waits."""
    fleet.close()
    if fleet.was_needed and not fleet.is_inherited():
        warn(f"{name} was dropped without shutdown()", ResourceWarning, stacklevel=2)
