"""KnownActors: what a connection remembers of the actors that it leads to."""

from __future__ import annotations

import threading

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from mojo_seq.actor.reasons import StopReason

_MANY = 256  # ends that are remembered before it is worth looking which of them matter
_MOST_UNHEARD = 64


class KnownActors:
    """Which actors of a node are of interest here, and which of them have ended. Any thread.

    Refs come and go with messages, so an actor that has ended is forgotten some time after the last
    ref to it: what is remembered would grow for ever. One of which a ref comes later is asked for
    anew.

    Args:
        ends: why those ended that have, by number. For others to look into.
        about: whatever else is known of actors, by number.
    """

    def __init__(self, ends: dict[int, StopReason], about: Collection[dict[int, Any]]) -> None:
        self._ends = ends
        self._about = about
        # What is let go of with it may run anybody's code, on the same thread.
        self._lock = threading.RLock()
        self._cared_for = set[int]()  # _lock: actors whose end the node tells
        self._limit = _MANY  # _lock
        self._unheard = 0  # a guess, with the GIL or without

    def care(self, number: int) -> bool:
        """There is a ref to an actor here. True: the node is to be told that its end is of
        interest."""
        with self._lock:
            if number in self._cared_for:
                return False
            self._cared_for.add(number)
        self.expect_end()
        return True

    def expect_end(self) -> None:
        """The node is going to tell of one more end."""
        self._unheard += 1

    def may_have_ended(self) -> bool:
        """Whether so many may have ended that the news should not be left unread."""
        return self._unheard > _MOST_UNHEARD

    def note_end(self, number: int, reason: StopReason, led_to: Callable[[], set[int]]) -> None:
        """The node has told of an end.

        Args:
            led_to: tells which numbers refs here lead to.
        """
        self._unheard = 0
        self._ends.setdefault(number, reason)
        if len(self._ends) > self._limit:
            self._forget_ended(led_to)

    def _forget_ended(self, led_to: Callable[[], set[int]]) -> None:
        # With the lock: a ref that has come before is in `still`; one that comes after this calls
        # `care`, and so the node is asked once more.
        with self._lock:
            still = led_to()
            for number in [each for each in list(self._ends) if each not in still]:
                self._cared_for.discard(number)
                for known in self._about:
                    known.pop(number, None)
                self._ends.pop(number, None)
            self._limit = _MANY + 2 * len(self._ends)
