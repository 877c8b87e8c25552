"""Progress on standard error: a bar on a terminal (by rich if installed), else a line at times."""

from __future__ import annotations

import sys
import time

from mojo_seq.cli.report import human, printable
from mojo_seq.cli.walk import Survey

LINE_INTERVAL = 2.0  # seconds between two lines if standard error is not a terminal
BAR = 30  # characters


class Progress:
    """Plain text, and the interface. Only one sequence uses it."""

    def __init__(self, paths: list[str]) -> None:
        self._terminal = sys.stderr.isatty()
        self._survey = Survey(0, 0)
        self._next_line = 0.0
        self._print(f"hashing {', '.join(map(printable, paths))}\n")

    def set_total(self, survey: Survey) -> None:
        """Tell how much there is to do, once that is known."""
        self._survey = survey

    def update(self, files: int, nbytes: int) -> None:
        """Tell how much has been done."""
        line = f"{files:,} files, {human(nbytes)}"
        if self._survey.nbytes:
            share = min(nbytes / self._survey.nbytes, 1.0)
            bar = "#" * round(share * BAR)
            line = f"[{bar:.<{BAR}}] {share:4.0%}  {line} of {human(self._survey.nbytes)}"
        if self._terminal:
            self._print(f"\r\x1b[K{line}")
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_INTERVAL
            self._print(f"{line}\n")

    def note(self, text: str) -> None:
        """Tell what has happened, in a line that stays."""
        start = "\r\x1b[K" if self._terminal else ""
        self._print(f"{start}{text}\n")

    def close(self) -> None:
        if self._terminal:
            self._print("\r\x1b[K")

    def _print(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def make_progress(paths: list[str]) -> Progress:
    if sys.stderr.isatty():
        try:
            from mojo_seq.cli.rich_progress import RichProgress

            return RichProgress()
        except ModuleNotFoundError:
            pass  # rich is optional
    return Progress(paths)
