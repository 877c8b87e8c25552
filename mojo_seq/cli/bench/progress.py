"""Progress on standard error: a line that is rewritten on a terminal, else one for each round."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """How far a run is, and how long it will take: as long as the rounds before."""

    def __init__(self, rounds: int, samples: int) -> None:
        self._rounds = rounds
        self._all = rounds * samples
        self._done = 0
        self._turn = -1
        self._seconds: dict[tuple[str, str], float] = {}  # that the last sample took
        self._terminal = sys.stderr.isatty()

    @contextmanager
    def sampling(self, turn: int, case: str, contender: str) -> Iterator[None]:
        """A sample is taken inside."""
        self._show(turn, f"{case}: {contender}")
        start = time.monotonic()
        yield
        self._seconds[case, contender] = time.monotonic() - start
        self._done += 1

    def close(self) -> None:
        if self._terminal:
            self._print("\r\x1b[K")

    def _show(self, turn: int, what: str) -> None:
        text = f"round {turn + 1} of {self._rounds}"
        if turn:
            left = sum(self._seconds.values()) / len(self._seconds) * (self._all - self._done)
            text += f", about {left:,.0f} s left"
        if self._terminal:
            self._print(f"\r\x1b[K{self._done / self._all:4.0%}  {text}  {what}")
        elif turn != self._turn:
            self._print(f"{text}\n")
        self._turn = turn

    def _print(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
