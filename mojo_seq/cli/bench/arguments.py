"""Arguments of ``python -m mojo_seq bench``. Importing this imports nothing else of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

ROUNDS = 3
SECONDS = 0.2

DESCRIPTION = """\
Measure mojo_seq on this machine beside multiprocessing, concurrent.futures, and whichever of pyzmq,
Pykka, xoscar and Ray are installed. Every sample is a fresh process; the contenders of a case take
turns. Prints a table with ratios, and draws a plot: an image with matplotlib, else in text."""

EPILOG = """\
exit codes: 0 finished, 1 a sample failed (the table says which) or the plot cannot be written,
2 wrong arguments, 130 interrupted with Ctrl-C, 143 with SIGTERM (the table covers what was done)"""


def add_bench(commands: Any) -> None:
    """Add the command to an `argparse` parser's commands."""
    bench = commands.add_parser(
        "bench",
        help="measure speed on this machine, beside the alternatives",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.add_argument("cases", nargs="*", metavar="CASE", help="what to measure (default: all)")
    bench.add_argument("--list", action="store_true", help="list the cases and their contenders")
    bench.add_argument(
        "--peers",
        type=_names,
        metavar="NAME,...",
        help="compare only to these (default: to all that are installed)",
    )
    bench.add_argument(
        "--rounds",
        type=_number(int, 1, 1000),
        default=ROUNDS,
        metavar="N",
        help="samples of each contender (default: %(default)s)",
    )
    bench.add_argument(
        "--seconds",
        type=_number(float, 0.001, 60),
        default=SECONDS,
        metavar="S",
        help="about how long a sample measures, besides starting (default: %(default)s)",
    )
    bench.add_argument("--json", action="store_true", help="print data instead of a table")
    plot = bench.add_mutually_exclusive_group()
    plot.add_argument(
        "--plot",
        metavar="FILE",
        help="draw the plot into this file, .png, .pdf or .svg (default: mojo_seq-bench.png if "
        "matplotlib is installed; with --json none)",
    )
    plot.add_argument("--no-plot", action="store_true", help="draw no plot")


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"must be names with commas between them, not {text!r}")
    return names


def _number(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"must be a number from {least:g} to {most:g}, not {text!r}"
            )
        return value

    return parse
