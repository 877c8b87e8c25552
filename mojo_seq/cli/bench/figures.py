"""The figures of one measure: every sample of every contender.

Two contenders are compared by the median of the quotients within each round, not by the quotient of
two medians taken minutes apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figures:
    """By contender, and in the order of the rounds."""

    title: str
    unit: str
    higher_is_better: bool
    contenders: tuple[str, ...]
    figures: dict[str, list[float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)  # why a contender has no figures

    def quotients(self, name: str, other: str) -> list[float]:
        """How many times the figure of `other` that of `name` is, in every round that has both."""
        if name in self.problems or other in self.problems:
            return []
        # The last round may be incomplete: it was interrupted.
        pairs = zip(self.figures.get(name, ()), self.figures.get(other, ()), strict=False)
        return [mine / theirs if theirs else float("inf") for mine, theirs in pairs]

    def quotient(self, name: str, other: str) -> float | None:
        """The median of the quotients; None: one of the two was not measured."""
        quotients = self.quotients(name, other)
        return median(quotients) if quotients else None


def interleaved(names: Sequence[str], turn: int) -> list[str]:
    """The order of a round: A B C, then B C A, ...

    So that whatever else the machine is doing falls on all of them alike.
    """
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def number(value: float) -> str:
    """Three significant digits, without exponents."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
