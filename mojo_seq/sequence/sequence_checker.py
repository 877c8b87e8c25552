"""SequenceChecker: catches use from the wrong sequence."""

from __future__ import annotations

import threading
import weakref

from mojo_seq.sequence.task_runner import SequencedTaskRunner


class SequenceChecker:
    """Remembers the first sequence that asks, and tells whether later callers are on it.

    Outside of any sequence, the thread counts as one. Any thread.
    """

    __slots__ = ("_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A reference that does not keep the sequence, or a thread's number; _lock.
        self._owner: weakref.ref[SequencedTaskRunner] | int | None = None

    def called_on_valid_sequence(self) -> bool:
        """True on the sequence that the checker is bound to; binds it if it is not bound."""
        here: weakref.ref[SequencedTaskRunner] | int
        try:
            here = weakref.ref(SequencedTaskRunner.current())
        except RuntimeError:
            here = threading.get_ident()
        with self._lock:
            if self._owner is None:
                self._owner = here
            return self._owner == here

    def detach(self) -> None:
        """Unbinds the checker; the next caller's sequence becomes the valid one."""
        with self._lock:
            self._owner = None
