"""Arrivals: what the workers have done for an iterator that has not looked at it yet."""

from __future__ import annotations

from collections import deque
from typing import Any

from mojo_seq.pool.bell import Bell


class Arrivals:
    """All that tasks know of the iterator that has started them: so that can be dropped. Tasks are
    numbered. Written to by any thread, read by the iterator.

    Attributes:
        bell: rings after each change.
        finished: numbers of tasks that are over.
        reports: of how much a running task has done, and of how much; the latest.
    """

    __slots__ = ("bell", "finished", "reports")

    def __init__(self) -> None:
        self.bell = Bell()
        self.finished: deque[int] = deque()
        self.reports: dict[int, tuple[float, float | None]] = {}

    def finish(self, number: int, _: object = None) -> None:
        """As a callback of a future."""
        self.finished.append(number)
        self.bell.ring()

    def report(self, number: int, item: Any) -> None:
        """As what takes the items of a task: `current_task().report()` sends such pairs."""
        self.reports[number] = item
        self.bell.ring()
