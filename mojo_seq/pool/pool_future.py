"""PoolFuture: what submitting a call to a process pool returns."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.aio import in_trio_task
from mojo_seq.sequence.scoped_wait import wait_in_scope
from mojo_seq.sequence.task_future import TaskFuture

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from threading import Condition
    from typing import Any, Self, TypeVar

    from mojo_seq.pool.dispatcher import Dispatcher
    from mojo_seq.pool.pool_task import PoolTask

    _T = TypeVar("_T")

_result = _core.ReplyBase.result


class PoolFuture(_core.ReplyBase, TaskFuture["_T"]):  # type: ignore[override]
    """The outcome of a call: a concurrent.futures.Future that can also be awaited. Any thread.

    It costs no lock: the core completes it and wakes who waits. `concurrent.futures.wait`,
    `as_completed`, `asyncio.wrap_future` and `add_done_callback` work as for any future; callbacks
    are called on the pool's thread and should be short.
    """

    if TYPE_CHECKING:
        # As concurrent.futures.wait and as_completed see it.
        _condition: Condition
        _state: str
        _waiters: list[Any]

        def add_done_callback(self, fn: Callable[[Self], object]) -> None: ...

    _task: PoolTask | None  # None: it is over
    _dispatcher: Dispatcher

    def result(self, timeout: float | None = None) -> _T:
        """Blocks until the call is over, or the scope that the caller is in is cancelled.

        Args:
            timeout: seconds; None: no limit.

        Raises:
            TimeoutError: the time was up first.
            CancelledError: the scope, group or task that the caller is in is cancelled.
            concurrent.futures.CancelledError: the call was cancelled.
            WorkerDiedError, DeadlineExceededError, BrokenPoolError, or whatever the call raised.
        """
        try:
            if not self.done():
                wait_in_scope(self, timeout)
            outcome: _T = _result(self, timeout)
            return outcome
        finally:
            del self  # else it would be kept by the traceback of the error that it keeps

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error, or None. Blocks and raises like `result` otherwise."""
        if not self.done():
            wait_in_scope(self, timeout)
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, _T]:
        """Waits under asyncio or trio, or in a method of an actor."""
        if in_trio_task():
            return TaskFuture.__await__(self)
        return super().__await__()  # type: ignore[return-value]

    def cancel(self) -> bool:
        """Takes the call back, if no worker has begun it.

        Returns:
            False if it is too late.
        """
        task = self._task
        if task is None or self.done() or not self._dispatcher.revoke(task):
            return self.cancelled()
        cancelled: bool = super().cancel()
        self.let_go()
        return cancelled

    def running(self) -> bool:
        """True while a worker is at it."""
        task = self._task
        return task is not None and not self.done() and self._dispatcher.has_begun(task)

    def request_cancel(self) -> None:
        """Cancels the call if it has not begun, else asks it to end: see `current_task`."""
        task = self._task
        if task is not None and not self.cancel() and not self.done():
            self._dispatcher.request_cancel(task)

    def kill_after(self, seconds: float) -> None:
        """If the call still runs then, its worker is killed and replaced, and the call cancelled.

        Args:
            seconds: from now.
        """
        task = self._task
        if task is not None and not self.done():
            self._dispatcher.kill_after(task, seconds)

    def finish_cancelled(self) -> bool:
        """For the pool: it ends as cancelled. False: it was complete."""
        return not self.done() and super().cancel()

    def let_go(self) -> None:
        """For the pool: the call is over."""
        task, self._task = self._task, None
        if task is not None:
            task.let_go()

    def __repr__(self) -> str:
        text = super().__repr__().replace("Reply", "PoolFuture", 1)
        return text.replace("pending", "running") if self.running() else text
