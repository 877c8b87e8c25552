"""ProcessPool: worker processes that are there when they are needed."""

from __future__ import annotations

import os
import weakref
from operator import index
from warnings import warn

from mojo_seq import _core
from mojo_seq.pool.argument_checks import check_timeout, positive
from mojo_seq.pool.call_encoding import CallEncoder
from mojo_seq.pool.dispatcher import Dispatcher
from mojo_seq.pool.open_streams import OpenStreams
from mojo_seq.pool.pool_options import PoolOptions
from mojo_seq.pool.pool_task import new_task
from mojo_seq.pool.task_options import USUAL, TaskOptions
from mojo_seq.pool.task_starter import TaskStarter
from mojo_seq.pool.worker_fleet import WorkerFleet
from mojo_seq.process import spawn_arguments

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Never, Self, SupportsIndex

    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.pool_worker import PoolWorker

_NO_KEYWORDS: dict[str, object] = {}  # one for all calls that have none


class ProcessPool(TaskStarter):
    """Worker processes that run tasks and actors: a concurrent.futures.Executor.

    Workers are fresh interpreters that are started one by one as they are needed, and replaced
    when they die: that fails only the task that the worker ran, with WorkerDiedError. One that ends
    within a second is replaced when its place is needed again, and not at once: after 50 ms, and
    after each more such death twice as long, up to a second. If the initializer fails, or workers
    end again and again before they run anything, all futures get a BrokenPoolError.

    Leaving a `with` block waits for the tasks and ends the workers; Ctrl-C there, and the
    interpreter's exit, end them at once. So does this process's death, whatever its cause. They do
    not hear of Ctrl-C. What they write to their standard error is passed on. Any thread; in a
    forked child the pool is dead.

    Args:
        max_workers: the most workers; None: one for each CPU that this process may use.
        initializer: called in each worker before all else, on its main thread. If it raises, the
            worker ends, and its `exit_reason()` says why.
        initargs: for the initializer.
        max_tasks_per_child: how many tasks a worker runs before it is replaced by a fresh one;
            None: any number. One that actors live on is replaced after they have ended.
        environment: variables that the workers have besides those of this process. They are set
            before anything is imported there: so `{"OMP_NUM_THREADS": "1"}` keeps numpy's
            libraries from starting a thread for each CPU in each worker.

    Raises:
        TypeError, AttributeError, pickle.PicklingError: initializer or initargs cannot be pickled,
            or not be imported by another interpreter; a note tells which.
        InvalidArgumentError: there are handles in initargs, which cannot be sent to all workers; or
            a number is less than 1.
    """

    def __init__(
        self,
        max_workers: SupportsIndex | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        max_tasks_per_child: SupportsIndex | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        usable = len(os.sched_getaffinity(0))
        size = usable if max_workers is None else positive("max_workers", max_workers)
        most_tasks = None
        if max_tasks_per_child is not None:
            most_tasks = positive("max_tasks_per_child", max_tasks_per_child)
        self._size = size
        self._encoder = CallEncoder()
        setup = _pack_initializer(initializer, tuple(initargs))
        self._fleet = WorkerFleet(size, setup, _check_environment(environment))
        self._dispatcher = Dispatcher(self._fleet, size, most_tasks)
        self._open_streams = OpenStreams()
        self._finalizer = weakref.finalize(self, _finalize, self._dispatcher, repr(self))
        self._finalizer.atexit = False

    @property
    def max_workers(self) -> int:
        """How many workers there are at most."""
        return self._size

    @property
    def _streams(self) -> OpenStreams:
        return self._open_streams

    def with_options(
        self, *, timeout: float | None = None, retries: SupportsIndex = 0
    ) -> PoolOptions:
        """The same pool, whose methods start tasks with these options.

        Args:
            timeout: seconds that a task may run, from when a worker begins it; then the worker is
                killed and replaced, and the task fails with DeadlineExceededError. Of `map` with
                a chunksize: those of a chunk. None: no limit.
            retries: how often a task is run again whose worker has died (WorkerDiedError), by
                itself or somebody else, but not after its timeout. A task with handles in it is
                not run again.

        Raises:
            InvalidArgumentError: one of them is negative.
        """
        check_timeout(timeout)
        if index(retries) < 0:
            raise _core.InvalidArgumentError(f"retries must not be negative, and is {retries}")
        return PoolOptions(self, timeout, index(retries))

    def _start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskOptions = USUAL,
        /,
    ) -> PoolFuture[Any]:
        """Starts a task; what all methods do in the end."""
        dispatcher = self._dispatcher
        scope = options.scope
        deadline = None if scope is None else scope.deadline
        message = self._encoder.encode(fn, args, kwargs, deadline, options.timeout is not None)
        task = new_task(dispatcher, (fn, args, kwargs or _NO_KEYWORDS), message)
        if options is not USUAL:
            task.set_options(options, deadline)
        try:
            dispatcher.submit(task)
        except BaseException:
            if dispatcher.revoke(task):  # else Ctrl-C came too late to stop it
                task.let_go(is_refused=True)
                task.future.finish_cancelled()
            raise
        return task.future

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

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the workers after all tasks that were submitted, and streams at their next item.
        Nothing can be submitted, and no service opened, from the start of this call.

        The services' pipes are closed at their end. A worker whose services do not return is ended
        by force: it has 5 s, is terminated then, and killed 2 s later. Repeating the call is
        harmless, and waits. Ctrl-C while it waits ends the tasks and kills the workers.

        Args:
            wait: return when nothing is left of the tasks and the workers; else they end in the
                background.
            cancel_futures: cancel the tasks that have not begun.

        Raises:
            RuntimeError: called by a callback of a task, or a handler of the workers' log, which
                the pool would wait for.
        """
        self._finalizer.detach()
        self._dispatcher.close(cancel_futures)
        self._open_streams.end_all()
        if not wait:
            return
        try:
            self._dispatcher.join()
        except RuntimeError:
            raise
        except BaseException:
            self._abort()
            raise
        self._fleet.join()

    def _abort(self) -> None:
        """Ends everything at once, by force where something runs."""
        self._finalizer.detach()
        self._dispatcher.abort()
        self._fleet.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if isinstance(exc_info[1], KeyboardInterrupt):
            self._abort()  # nobody wants to wait
        else:
            self.shutdown()

    def __reduce__(self) -> Never:
        raise TypeError("a ProcessPool cannot be copied or pickled")

    def __repr__(self) -> str:
        state = "" if self._fleet.is_open else " shut down"
        return f"<ProcessPool max_workers={self._size}{state}>"


def _pack_initializer(
    initializer: Callable[..., object] | None, args: tuple[Any, ...]
) -> spawn_arguments.Packed | None:
    if initializer is None:
        return None
    if not callable(initializer):
        raise TypeError(f"initializer must be callable, not {type(initializer).__name__}")
    return spawn_arguments.pack_often(initializer, args, caller="ProcessPool")


def _check_environment(environment: Mapping[str, str] | None) -> dict[str, str]:
    variables = dict(environment or {})
    for each in (*variables, *variables.values()):
        if not isinstance(each, str):
            raise TypeError(f"environment must have str in it, not {type(each).__name__}")
    return variables


def _finalize(dispatcher: Dispatcher, name: str) -> None:
    """The pool was dropped: its workers end after their tasks, and nobody waits."""
    dispatcher.close_soon()
    fleet = dispatcher.fleet
    if fleet.was_needed and not fleet.is_inherited():
        warn(f"{name} was dropped without shutdown()", ResourceWarning, stacklevel=2)
