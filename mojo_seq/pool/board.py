"""Board: what has become of the tasks in a worker's pipe, in words that both sides see.

Task number n on a worker has word n % PLACES, from when it is written to the pipe until its answer
is read from there. Each state is entered by one side only, and by an exchange, so both always agree
on whether a task has begun:

    QUEUED -> RUNNING      the worker, before it looks into the message
    QUEUED -> REVOKED      the pool: cancelled, or given to another worker; the worker skips it
    RUNNING -> CANCELLED   the pool: it is asked to end; the task looks when it likes to
"""

from __future__ import annotations

from time import monotonic

from mojo_seq import _core

PLACES = 512  # tasks in one worker's pipe, at most
QUEUED, RUNNING, REVOKED, CANCELLED = range(4)

_NBYTES = 4 * 2 * PLACES
_MASK = 0xFFFFFFFF


def create() -> tuple[Board, _core.SharedBufferHandle]:
    """A board, and the handle of its memory for the worker.

    Raises:
        ResourceExhaustedError: no memory or descriptors left.
    """
    handle = _core.create_shared_buffer(_NBYTES)
    try:
        return Board(handle), handle
    except BaseException:
        handle.close()
        raise


class Board:
    """One side's view of a board. Any thread."""

    __slots__ = ("_words",)

    def __init__(self, handle: _core.SharedBufferHandle) -> None:
        self._words = _core.SharedWords(handle.map())

    def put(self, number: int) -> None:
        """The pool: the task is about to be written."""
        self._words.store(number % PLACES, QUEUED)

    def put_many(self, first: int, count: int) -> None:
        """The same for tasks with consecutive numbers, no more than there are places."""
        place = first % PLACES
        before_end = min(count, PLACES - place)
        self._words.fill(place, before_end, QUEUED)
        self._words.fill(0, count - before_end, QUEUED)

    def begin(self, number: int) -> bool:
        """The worker: takes a task. False: it was revoked."""
        return self._words.compare_exchange(number % PLACES, QUEUED, RUNNING) == QUEUED

    def begin_timed(self, number: int) -> bool:
        """The same, with the time."""
        self._words.store(PLACES + number % PLACES, -int(-monotonic() * 1000) + 1 & _MASK)
        return self.begin(number)

    def revoke(self, number: int) -> bool:
        """The pool: takes a task back. False: it has begun, or was revoked before."""
        return self._words.compare_exchange(number % PLACES, QUEUED, REVOKED) == QUEUED

    def request_cancel(self, number: int) -> None:
        """The pool: asks a task that has begun to end."""
        self._words.compare_exchange(number % PLACES, RUNNING, CANCELLED)

    def has_begun(self, number: int) -> bool:
        """Whether the worker has taken a task."""
        return self._words.load(number % PLACES) in (RUNNING, CANCELLED)

    def is_cancelled(self, number: int) -> bool:
        """Whether a task that has begun was asked to end."""
        return self._words.load(number % PLACES) == CANCELLED

    def running_for(self, number: int) -> float:
        """Seconds, rounded down, since a task has begun that `begin_timed` has taken."""
        began = self._words.load(PLACES + number % PLACES)
        passed = int(monotonic() * 1000) - began & _MASK
        return 0.0 if passed > _MASK >> 1 else passed / 1000
