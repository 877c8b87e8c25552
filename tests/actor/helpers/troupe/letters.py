"""Letters: the dead letters that a system has reported."""

from __future__ import annotations

import threading

from mojo_seq import DeadLetter
from troupe.journal import TIMEOUT


class Letters(list[DeadLetter]):
    """A list for `on_dead_letter`. From other processes letters come when they come."""

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Condition()

    def append(self, letter: DeadLetter) -> None:
        with self._news:
            super().append(letter)
            self._news.notify_all()

    def take(self, count: int) -> list[DeadLetter]:
        """All of them, as soon as there are that many; more are too many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self) >= count, TIMEOUT), list(self)
            assert len(self) == count, list(self)
            return list(self)
