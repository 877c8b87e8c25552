"""``python -m mojo_seq bench``: what is asked for, in; what was measured, out."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

from mojo_seq.cli.bench.cases import NAMES, load_case
from mojo_seq.cli.bench.data import write_json
from mojo_seq.cli.bench.library import LIBRARIES, Library, find_library
from mojo_seq.cli.bench.machine import load
from mojo_seq.cli.bench.progress import Progress
from mojo_seq.cli.bench.run import Run
from mojo_seq.cli.bench.table import print_table
from mojo_seq.cli.bench.terminal_plot import print_plot

PLOT = "mojo_seq-bench.png"
KINDS = (".png", ".pdf", ".svg")
BUSY_LOAD = 0.5  # for each processor


class ArgumentsError(Exception):
    """What was asked for cannot be done; says why."""


def main(arguments: argparse.Namespace) -> int:
    """Measure, print, return the exit code."""
    try:
        names, peers = chosen_cases(arguments.cases), chosen_peers(arguments.peers)
        plot = chosen_plot(arguments)
    except ArgumentsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        if arguments.list:
            print_list(names, sys.stdout)
            code = 0
        else:
            code = measure(Run(names, peers, arguments.rounds, arguments.seconds), plot, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`| head`). Python will flush stdout once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code


def measure(run: Run, plot: Path | None, arguments: argparse.Namespace) -> int:
    if (now := load()) > BUSY_LOAD * run.machine.usable:
        print(
            f"the machine is busy: its load is {now:.1f}, with {run.machine.usable} processors; "
            "the figures will vary with that",
            file=sys.stderr,
        )
    with closing(Progress(run.rounds, run.samples)) as progress:
        run.measure(progress)
    if arguments.json:
        write_json(run, sys.stdout)
    else:
        print_table(run, sys.stdout)
    sys.stdout.flush()  # a plot takes a moment
    drawn = arguments.no_plot or draw(run, plot, quietly=arguments.json)
    if run.signal is not None:
        return 128 + run.signal
    return 1 if run.failed or not drawn else 0


def draw(run: Run, plot: Path | None, *, quietly: bool) -> bool:
    """The image if there is a file for it, else text; False: it cannot be written."""
    if not any(case.has_figures(name) for case in run.cases for name in case.contenders):
        return True
    if plot is None:
        if not quietly:
            print_plot(run.cases, sys.stdout)
        return True
    from mojo_seq.cli.bench.image_plot import draw_plot

    description = f"{run.machine.processor}, {run.machine.system}, {run.machine.python}, {run.date}"
    try:
        draw_plot(run.cases, description, plot)
    except OSError as error:
        print(f"error: no plot: {error}", file=sys.stderr)
        return False
    print(f"plot: {plot}", file=sys.stderr if quietly else sys.stdout)
    return True


def chosen_cases(names: list[str]) -> list[str]:
    """In the order in which they are shown; all if none is named."""
    for name in names:
        if name not in NAMES:
            close = get_close_matches(name, NAMES, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(NAMES)}"
            raise ArgumentsError(f"no case is called {name!r}: {hint}")
    return [name for name in NAMES if not names or name in names]


def chosen_peers(names: list[str] | None) -> list[Library]:
    if names is None:
        return list(LIBRARIES)
    chosen = []
    for name in names:
        try:
            library = find_library(name)
        except LookupError:
            known = ", ".join(library.name for library in LIBRARIES)
            raise ArgumentsError(f"no peer is called {name!r}: there are {known}") from None
        if not library.is_installed:
            raise ArgumentsError(f"{library.name} is not installed: pip install {library.name}")
        chosen.append(library)
    return [library for library in LIBRARIES if library in chosen]


def chosen_plot(arguments: argparse.Namespace) -> Path | None:
    """Where to draw an image. None: nowhere."""
    has_matplotlib = importlib.util.find_spec("matplotlib") is not None
    if arguments.plot is None:
        wanted = has_matplotlib and not (arguments.no_plot or arguments.json or arguments.list)
        return Path(PLOT) if wanted and os.access(".", os.W_OK) else None
    path = Path(arguments.plot)
    if path.suffix.lower() not in KINDS:
        raise ArgumentsError(f"{arguments.plot}: the name of a plot ends with {', '.join(KINDS)}")
    if not has_matplotlib:
        raise ArgumentsError("--plot needs matplotlib: pip install 'mojo_seq[bench]'")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ArgumentsError(f"{arguments.plot}: cannot be written")
    return path


def print_list(names: list[str], out: TextIO) -> None:
    for name in names:
        case = load_case(name)
        out.write(f"{name}: {case.title}\n")
        for contender in case.contenders:
            missing = "" if contender.is_installed else "  (not installed)"
            out.write(f"  {contender.name}{missing}\n")
