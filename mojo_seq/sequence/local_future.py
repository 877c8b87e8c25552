"""LocalFuture: the future of a task that runs in this process."""

from __future__ import annotations

from concurrent.futures._base import CANCELLED_AND_NOTIFIED, PENDING, RUNNING
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq import _core
from mojo_seq.sequence.scoped_wait import wait_in_scope
from mojo_seq.sequence.task_future import TaskFuture

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class LocalFuture(TaskFuture[_T]):
    """The future of a task in this process, and what its subclasses run the task with."""

    _state: str
    _waiters: list[Any]
    _done_callbacks: list[Callable[[Any], object]]

    def __init__(self) -> None:
        super().__init__()
        environment = _core.current_environment()
        if environment is not None:  # so that concurrent.futures.wait runs it
            self._waiters = environment.new_future()._waiters

    def begin(self) -> bool:
        """For what runs the task: it is about to. False: it was cancelled, or another has begun."""
        with self._condition:
            begins = self._state == PENDING
            if begins:
                self._state = RUNNING
            return begins

    def cancel(self) -> bool:
        """Takes the task back, if it has not begun.

        Returns:
            bool: False if it is too late.
        """
        return self._end_as_cancelled(PENDING)

    def kill_after(self, seconds: float) -> None:
        """Nothing in this process can be ended by force."""

    def finish_cancelled(self) -> bool:
        """For what runs the task: it has ended since it was asked to.

        Returns:
            bool: False if the future was done.
        """
        return self._end_as_cancelled(PENDING, RUNNING)

    def _end_as_cancelled(self, *states: str) -> bool:
        with self._condition:
            if self._state not in states:
                return self.cancelled()
            self._state = CANCELLED_AND_NOTIFIED
            for waiter in self._waiters:
                waiter.add_cancelled(self)
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]
        return True

    def result(self, timeout: float | None = None) -> _T:
        """The result; blocks until it is there. Any thread.

        Args:
            timeout: seconds; None: no limit.

        Raises:
            TimeoutError: the time was up first.
            mojo_seq.CancelledError: the scope that the caller is in was cancelled first.
            concurrent.futures.CancelledError: the task was cancelled.
            BaseException: what the task raised.
        """
        try:
            return super().result(0 if self._wait(timeout) else timeout)
        finally:
            del self  # the error that is raised refers to this frame, and the future to the error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the task raised, or None. Blocks and raises like `result` otherwise."""
        return super().exception(0 if self._wait(timeout) else timeout)

    def _wait(self, timeout: float | None) -> bool:
        return wait_in_scope(self, timeout)
