"""What the plots show: how many times as much as the best one of its case each contender costs."""

from __future__ import annotations

from dataclasses import dataclass

from mojo_seq.cli.bench.measured import Measured
from mojo_seq.cli.bench.units import seconds_of_one, text


@dataclass(frozen=True)
class Bar:
    contender: str
    cost: float  # 1.0: that of the best
    figure: str  # as it is in the table

    @property
    def is_ours(self) -> bool:
        return self.contender.startswith("mojo_seq")


def bars(case: Measured) -> list[Bar]:
    """Of all that have figures."""
    shown = [contender for contender in case.contenders if case.has_figures(contender)]
    seconds = {each: seconds_of_one(case.median(each), case.unit) for each in shown}
    best = min(seconds.values(), default=0.0)
    return [Bar(each, seconds[each] / best, text(case.median(each), case.unit)) for each in shown]
