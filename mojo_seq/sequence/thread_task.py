"""ThreadTasks: what a task group on a ThreadPool starts its tasks with."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from mojo_seq.sequence.cancel_errors import is_cancelled_error
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled
from mojo_seq.sequence.local_future import LocalFuture
from mojo_seq.sequence.running_task import TaskState, run_in_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from mojo_seq.sequence.cancellation import Cancellation
    from mojo_seq.sequence.thread_pool import ThreadPool


class ThreadTask(LocalFuture[Any]):
    """A task of a group on a thread pool, and its future. Whoever calls `run` first runs it."""

    def __init__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        state: TaskState,
        pool: ThreadPool,
    ) -> None:
        super().__init__()
        self.skipped = False
        """The pool was shut down before it began."""
        self._call: Any = (fn, args, kwargs)  # until it begins or is cancelled
        self._task_state = state
        self._pool = pool
        self._context = copy_context()
        self._posted: Future[None] | None = None

    def post(self) -> None:
        """Puts it into the pool's queue.

        Raises:
            ShutdownError: the pool was shut down.
        """
        self._posted = self._pool.submit(self.run)
        # It comes at the end of a run, too, when nothing is left to be done.
        self._posted.add_done_callback(self._on_posted_done)

    def run(self) -> None:
        """Runs it here, unless that has begun or it was cancelled."""
        if self.begin():
            self._context.run(self._run)
        del self  # an error of the task refers to its frames, also to this one

    def _run(self) -> None:
        call, self._call = self._call, None
        state = self._task_state
        try:
            result = run_in_task(state, *call)
        except BaseException as error:
            if is_cancelled_error(error) and state.is_cancelled():
                self.finish_cancelled()
            else:
                self.set_exception(error)
                # The error refers to this frame, and this object to the error.
                self = call = None  # type: ignore[assignment]
        else:
            self.set_result(result)

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            self._call = None
            posted = self._posted
            if posted is not None:
                posted.cancel()
        return cancelled

    def request_cancel(self) -> None:
        if not self.cancel():
            self._task_state.cancel()

    def _on_posted_done(self, posted: Future[None]) -> None:
        self._posted = None  # it keeps its callbacks, and so this object
        if posted.cancelled() and not self.done():
            self.skipped = True
            super().cancel()

    def _wait(self, timeout: float | None) -> bool:
        if timeout is None and not self.done() and may_help(self._pool):
            # The threads may all be waiting like this one. But the wait must not last longer than
            # the caller's scope allows.
            scope, own = innermost(), self._task_state.deadline
            raise_if_cancelled(scope)
            outer = None if scope is None else scope.deadline
            if outer is None or (own is not None and own <= outer):
                self.run()
        return super()._wait(timeout)


class ThreadTasks:
    """Starts tasks of groups on a thread pool."""

    can_kill = False

    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool

    def start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        scope: Cancellation,
    ) -> ThreadTask:
        """Starts a task.

        Raises:
            ShutdownError: the pool was shut down.
        """
        task = ThreadTask(fn, args, kwargs, TaskState(scope, owner=self._pool), self._pool)
        task.post()
        return task

    def help(self, tasks: Callable[[], Iterable[Any]]) -> bool:
        """While one of the pool's threads waits for `tasks()`, it runs one that has not begun.

        Else nested groups could take all threads of a pool and wait for tasks that none is left
        for.

        Returns:
            bool: whether there was one, and it is over.
        """
        if not may_help(self._pool):
            return False
        for task in tasks():
            if not (task.running() or task.done()):
                task.run()
                return True
        return False

    def __repr__(self) -> str:
        return repr(self._pool)


def may_help(pool: ThreadPool) -> bool:
    """Whether the caller is on one of the pool's threads, or in a task of a group on it."""
    if pool.is_current():
        return True
    node = innermost()
    while node is not None:
        if isinstance(node, TaskState):
            return node.owner is pool
        node = node._parent
    return False
