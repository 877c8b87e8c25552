"""TaskStarter: what a process pool and its views have in common, given a way to start a task."""

from __future__ import annotations

from abc import abstractmethod
from concurrent.futures import Executor

from mojo_seq.pool.call_encoding import check_callable
from mojo_seq.pool.mapped_results import map_calls
from mojo_seq.pool.result_streams import ResultStreams
from mojo_seq.pool.task_options import USUAL, TaskOptions
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, ParamSpec, SupportsIndex, TypeVar

    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.progress import ProgressCallback
    from mojo_seq.sequence.task_group import TaskGroup

    _P = ParamSpec("_P")

    _T = TypeVar("_T")


class TaskStarter(ResultStreams, Executor):
    """A concurrent.futures.Executor that needs `_start`, `max_workers` and `shutdown`. Any
    thread."""

    @abstractmethod
    def _start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskOptions = USUAL,
        /,
    ) -> PoolFuture[Any]:
        """Starts a task."""

    @property
    def _max_workers(self) -> int:
        # dask and others look for it, as concurrent.futures' executors have it.
        return self.max_workers

    def submit(
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> PoolFuture[_T]:
        """Calls `fn(*args, **kwargs)` in a worker, on its main thread.

        The call is pickled here, once; numpy arrays and other large buffers in it go beside the
        pickle and arrive as read-only views. It is given to a worker at once if one is idle, and
        begins in the order of submission. Its result travels in the same way.

        Returns:
            A concurrent.futures.Future, which can also be awaited.

        Raises:
            TypeError, AttributeError, pickle.PicklingError: the call cannot be pickled; a note
                gives the path of the offending object. Lambdas and the like need cloudpickle.
            ShutdownError: the pool was shut down, or belongs to the process that forked this one.
            BrokenPoolError: its initializer fails.
            CancelledError: the scope, group or task that the caller is in is cancelled.
            BusyError, InvalidArgumentError, FailedPreconditionError, ResourceExhaustedError: what
                is in the call cannot be sent.
        """
        check_callable(fn)
        scope = innermost()
        raise_if_cancelled(scope)
        if scope is None:
            return self._start(fn, args, kwargs)
        return self._start(fn, args, kwargs, TaskOptions(scope=scope))

    def task_group(self, *, grace: float = 2.0) -> TaskGroup:
        """A group of tasks in the workers, to be used in `with` or `async with`.

        Args:
            grace: seconds that a task may go on after it was cancelled; then its worker is killed
                and replaced.

        Raises:
            InvalidArgumentError: grace is negative.
        """
        from mojo_seq.pool.group_tasks import GroupTasks
        from mojo_seq.sequence.task_group import TaskGroup

        return TaskGroup(GroupTasks(self), grace=grace)

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: SupportsIndex = 1,
        progress: bool | ProgressCallback | None = None,
    ) -> Iterator[_T]:
        """The results of `fn(*args)` for each `args` of `zip(*iterables)`, in this order.

        The iterables are exhausted here, and all calls submitted. An exception is raised in the
        place of its result, and is the end. Dropping or closing the iterator cancels the calls that
        have not begun. `imap` does the same lazily.

        Args:
            fn: called in the workers.
            iterables: of the arguments; the shortest ends it.
            timeout: seconds from now until the last result; None: no limit.
            chunksize: how many calls are sent to a worker at once, as one task.
            progress: as that of `imap`.

        Raises:
            TimeoutError: by the iterator, when a result is not there in time.
            InvalidArgumentError: chunksize is less than 1.
            Whatever `submit` raises.
        """
        check_callable(fn)
        scope = innermost()
        raise_if_cancelled(scope)
        if progress:
            return self._map_with_progress(fn, iterables, timeout, chunksize, progress)
        options = USUAL if scope is None else TaskOptions(scope=scope)
        return map_calls(self._start, options, fn, iterables, timeout, chunksize)
