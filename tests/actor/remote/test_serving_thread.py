"""The thread that waits on the pipes of a node's clients, and the tick that stands in for it."""

from __future__ import annotations

import threading
from typing import Any

from mojo_seq.actor.remote import serving_thread
from mojo_seq.actor.remote.serving_thread import ServingThread


class _JustBegins(ServingThread):
    """Has rested for long, and begins to run something in the middle of a tick."""

    def __init__(self) -> None:
        # Nothing of it runs but what the test calls.
        self._lock = threading.Lock()
        self._accepted = []
        self._closing = False
        self._ticking = True
        self._turns = self._seen_turns = 1
        self._idle_ticks = serving_thread._IDLE_TICKS
        self._io: Any = self
        self.posted: list[Any] = []

    @property
    def _resting(self) -> bool:  # type: ignore[override]
        self._dispatch([])
        return True

    def post_delayed_task(self, delay: float, function: Any) -> None:
        self.posted.append(function)


def test_the_tick_goes_on_if_something_begins_just_when_it_would_end() -> None:
    thread = _JustBegins()
    thread._tick()
    assert thread._ticking
    assert len(thread.posted) == 1
