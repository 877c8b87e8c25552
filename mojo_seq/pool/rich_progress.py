"""The progress bar by way of rich, which is not needed for anything else here."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Live

if TYPE_CHECKING:
    from rich.progress import TaskID

_INTERVAL = 0.1  # seconds between two changes


class RichProgress:
    """One bar. Redraws only in `update`: rich needs no thread of its own.

    Args:
        title: what is being done.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: TaskID | None = None
        self._closed = False
        self._last: tuple[float, int | None] = (0, None)
        self._next = 0.0

    def update(self, done: float, total: int | None) -> None:
        self._last = max(done, self._last[0]), total
        if not self._closed and time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL
            if self._bar is None:
                self._bar = _display.add(self._title)
            _display.show(self._bar, *self._last)

    def close(self) -> None:
        """The last state stays."""
        if not self._closed and self._bar is not None:
            _display.show(self._bar, *self._last)
            _display.leave()
        self._closed = True


class _Display:
    """All bars of the terminal, below each other: rich cannot show two sets that do not end in the
    order of a stack. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may close a bar in the midst of it
        self._live: Live | None = None
        self._bars = 0

    def add(self, title: str) -> TaskID:
        with self._lock:
            if self._live is None:
                self._live = Live(
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(elapsed_when_finished=True),
                    console=Console(stderr=True),
                    auto_refresh=False,
                )
                self._live.start()
            self._bars += 1
            return self._live.add_task(title, total=None)

    def show(self, bar: TaskID, done: float, total: int | None) -> None:
        with self._lock:
            if self._live is not None:
                self._live.update(bar, completed=done, total=total, refresh=True)

    def leave(self) -> None:
        """One bar less; with the last one all that was shown becomes plain lines."""
        with self._lock:
            self._bars -= 1
            if self._bars == 0 and self._live is not None:
                self._live.stop()
                self._live = None


_display = _Display()
