"""TaskTimers: ends tasks that take too long."""

from __future__ import annotations

import heapq
import itertools
from concurrent.futures import CancelledError
from time import monotonic

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.pool.dispatcher import Dispatcher
    from mojo_seq.pool.pool_task import PoolTask

_TICK = 0.001  # the board's; a little more is waited, so that a task has its full time


class TaskTimers:
    """Of one dispatcher, on whose thread they end. Any thread may start them."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._numbers = itertools.count(1)
        # When, a number, the task, and whether it is the task's own timeout. Under the lock.
        self._heap: list[tuple[float, int, PoolTask, bool]] = []

    def start(self, task: PoolTask) -> None:
        """A task with a timeout was sent to a worker, which counts from when it begins."""
        assert task.timeout is not None
        task.timer = self._add(task.timeout, task, own=True)

    def kill_after(self, task: PoolTask, seconds: float) -> None:
        """Cancels a task then, by force if it has begun."""
        self._add(seconds, task, own=False)

    def _add(self, seconds: float, task: PoolTask, own: bool) -> int:
        number = next(self._numbers)
        when = monotonic() + max(0.0, seconds)
        with self._dispatcher.lock:
            heapq.heappush(self._heap, (when, number, task, own))
            is_first = self._heap[0][1] == number
        if is_first:
            self._dispatcher.wake()
        return number

    def pause(self) -> float | None:
        """Seconds until the next is due; None: there is none. With the lock held."""
        heap = self._heap
        while heap and heap[0][2].is_over:
            heapq.heappop(heap)
        return max(0.0, heap[0][0] - monotonic()) if heap else None

    def run(self) -> None:
        """Does what is due. On the thread, without the lock."""
        while True:
            with self._dispatcher.lock:
                if not self._heap or self._heap[0][0] > monotonic():
                    return
                _, number, task, own = heapq.heappop(self._heap)
            if not own:
                self._cancel(task)
            elif number == task.timer and not task.is_over:
                self._look_at(task)

    def _look_at(self, task: PoolTask) -> None:
        timeout = task.timeout
        assert timeout is not None
        with self._dispatcher.lock:
            link = task.link
            if link is None:
                return  # it waits again, for another worker
            left = timeout
            if link.board.has_begun(task.number):
                left -= link.board.running_for(task.number)
        if left <= 0:
            error = _core.DeadlineExceededError(
                f"{task.describe()} has not ended within {timeout:g} s; its worker was killed"
            )
            self._dispatcher.kill(task, error)
        else:
            task.timer = self._add(left + _TICK, task, own=True)

    def _cancel(self, task: PoolTask) -> None:
        if task.is_over or task.future.cancel():
            return
        with self._dispatcher.lock:
            task.cancel_asked = True
            if task.link is not None and task.link.is_lost:
                task.verdict = CancelledError()
        self._dispatcher.kill(task, CancelledError())
