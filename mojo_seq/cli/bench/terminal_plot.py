"""The plot in text: bars on a logarithmic scale that is the same for all cases."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import TextIO

from mojo_seq.cli.bench.chart import bars
from mojo_seq.cli.bench.measured import Measured

WIDTH = 40  # characters of the longest bar
LEAST = 2  # of the shortest


def print_plot(cases: Sequence[Measured], out: TextIO) -> None:
    """Nothing if there are no figures."""
    charts = {case.name: bars(case) for case in cases}
    shown = [bar for chart in charts.values() for bar in chart]
    if not shown:
        return
    name_width = max(len(bar.contender) for bar in shown)
    decades = max(1.0, log10(max(bar.cost for bar in shown)))
    ours, theirs = _marks(out.encoding)
    out.write(f"\nCost of an operation, on a scale from 1 (the best) to {10**decades:,.0f}\n")
    for case, chart in charts.items():
        if chart:
            out.write(f"\n{case}\n")
        for bar in chart:
            length = LEAST + round((WIDTH - LEAST) * log10(bar.cost) / decades)
            line = (ours if bar.is_ours else theirs) * length
            out.write(f"  {bar.contender:<{name_width}}  {line} {bar.figure}\n")


def _marks(encoding: str) -> tuple[str, str]:
    try:
        "█░".encode(encoding)
    except UnicodeEncodeError:
        return "#", "-"
    return "█", "░"
