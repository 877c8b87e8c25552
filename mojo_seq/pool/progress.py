"""Progress of many calls: to a callback, or on standard error, as a bar or a line at times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias

ProgressCallback: TypeAlias = Callable[[float, int | None], object]
"""Called with how many calls are done, and of how many, as far as that is known."""

_TERMINAL_INTERVAL = 0.1  # seconds between two changes of a bar
_LINE_INTERVAL = 2.0  # between two lines if standard error is not a terminal
_WIDTH = 30  # characters


class Progress(Protocol):
    """Who is told. Used by one thread at a time."""

    def update(self, done: float, total: int | None) -> None:
        """Called at the start and then as often as anybody likes; with a fraction if tasks report
        of themselves."""

    def close(self) -> None:
        """There will be no more."""


class CallbackProgress:
    """Calls back at the start, and when there is something new; `done` never goes back."""

    def __init__(self, callback: ProgressCallback) -> None:
        self._callback = callback
        self._last: tuple[float, int | None] | None = None

    def update(self, done: float, total: int | None) -> None:
        if self._last is not None:
            done = max(done, self._last[0])
        if self._last != (done, total):
            self._last = done, total
            self._callback(done, total)

    def close(self) -> None:
        """Callbacks are not told."""


class TextProgress:
    """Plain text: a bar on a terminal, else a line at times.

    Args:
        title: what is being done.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._stream = sys.stderr
        self._terminal = self._stream.isatty()
        self._last: tuple[float, int | None] | None = None
        self._started = time.monotonic()
        self._next = self._started + (0.0 if self._terminal else _LINE_INTERVAL)
        self._is_shown = True
        self._has_line = False  # on a terminal

    def update(self, done: float, total: int | None) -> None:
        if self._last is not None:
            done = max(done, self._last[0])
        if self._last != (done, total):
            self._last = done, total
            self._is_shown = False
            if time.monotonic() >= self._next:
                self._show(done, total)

    def close(self) -> None:
        """The last state stays."""
        if not self._is_shown and self._last is not None and self._last[0]:
            self._show(*self._last)
        if self._has_line:
            self._has_line = False
            self._write("\n")

    def _show(self, done: float, total: int | None) -> None:
        interval = _TERMINAL_INTERVAL if self._terminal else _LINE_INTERVAL
        self._next = time.monotonic() + interval
        self._is_shown = True
        self._has_line = self._terminal
        line = describe(self._title, done, total, time.monotonic() - self._started)
        self._write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def describe(title: str, done: float, total: int | None, seconds: float) -> str:
    """A line of text."""
    count = f"{int(done):,}" + ("" if total is None else f" of {total:,}")
    rate = f"{done / seconds:,.1f}/s" if seconds > 0 else ""
    if not total:
        return f"{title}  {count}  {rate}"
    share = min(done / total, 1.0)
    bar = "#" * int(share * _WIDTH)
    return f"{title}  [{bar:.<{_WIDTH}}] {share:4.0%}  {count}  {rate}"


def make_progress(progress: bool | ProgressCallback | None, title: str) -> Progress | None:
    """What the argument `progress` of a pool's methods stands for.

    Args:
        progress: True: a bar, by rich if that is installed and standard error is a terminal, else
            plain text; a callback; False or None: nothing.
        title: for the bar.

    Raises:
        TypeError: it is something else.
    """
    if progress is None or progress is False:
        return None
    if progress is not True:
        if not callable(progress):
            raise TypeError(f"progress must be a bool or callable, not {type(progress).__name__}")
        return CallbackProgress(progress)
    if sys.stderr is None:
        return None
    if sys.stderr.isatty():
        try:
            from mojo_seq.pool.rich_progress import RichProgress
        except ModuleNotFoundError:
            return TextProgress(title)  # rich is optional
        return RichProgress(title)
    return TextProgress(title)
