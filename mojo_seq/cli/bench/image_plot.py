"""The plot as an image, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mojo_seq.cli.bench.chart import bars
from mojo_seq.cli.bench.measured import Measured

OURS, THEIRS = "#c8442c", "#9aa5b1"
WIDTH, BAR, TITLE, FOOT = 9.0, 0.26, 0.62, 1.0  # inches
ROOM = 6.0  # times as far as the longest bar, for the figure beside it


def draw_plot(cases: Sequence[Measured], description: str, path: Path) -> None:
    """Write an image; its kind is that of the file's name.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    charts = [(case, bars(case)) for case in cases]
    charts = [(case, chart) for case, chart in charts if chart]
    heights = [TITLE + BAR * len(chart) for _, chart in charts]
    figure = Figure((WIDTH, sum(heights) + FOOT), dpi=120, layout="constrained")
    all_axes = figure.subplots(len(charts), 1, squeeze=False, height_ratios=heights, sharex=True)
    most = max(bar.cost for _, chart in charts for bar in chart)
    for axes, (case, chart) in zip(all_axes[:, 0], charts, strict=True):
        drawn = axes.barh(
            [bar.contender for bar in chart],
            [bar.cost for bar in chart],
            color=[OURS if bar.is_ours else THEIRS for bar in chart],
        )
        axes.bar_label(drawn, [bar.figure for bar in chart], padding=4, fontsize=8)
        axes.set_title(f"{case.name}: {case.title}", loc="left", fontsize=9)
        axes.set_xscale("log")
        axes.set_xlim(0.8, most * ROOM)
        axes.invert_yaxis()
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    all_axes[-1, 0].set_xlabel(
        f"cost of an operation, 1 = the best (logarithmic)\n{description}", fontsize=8
    )
    figure.savefig(path)
