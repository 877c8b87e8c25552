"""What the measuring scripts share: contenders, and their samples in fresh processes.

A script describes one or more *measures*. A measure has *contenders* (ways to do the same thing,
ours and the peers') and *targets*. Every sample of every contender is a fresh process with its own
warm-up, and the rounds are interleaved (A B C, B C A, ...), so that whatever else the machine is
doing falls on all of them alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

from verdict import Results, Target, report

SAMPLE_TIMEOUT = 300.0  # seconds; a sample takes a few
BLOCKS = 5  # a sample's figure is the median of so many blocks of work
ROUNDS = 7
PAUSE = 0.002  # seconds; any spin has given up by then


class UnavailableError(Exception):
    """Raised by a sample that this machine cannot take; says why."""


@dataclass(frozen=True)
class Scale:
    """How much work a sample does: all of it, or just enough to see that the script works."""

    quick: bool

    def n(self, full: int) -> int:
        """A number of repetitions: `full`, or a hundredth of it."""
        return max(1, full // 100) if self.quick else full

    def per_operation(self, run: Callable[[int], object], seconds: float = 0.5) -> float:
        """Seconds per operation of `run(n)`, which does n operations.

        Warms up, finds how many operations fill a block, and takes the median of BLOCKS blocks,
        so that being interrupted once does not show.
        """
        block = (0.01 if self.quick else seconds) / BLOCKS
        n = 50
        run(n)  # where there is another process, it has started then
        while (elapsed := timed(run, n)) < block / 10:
            n *= 4
        n = max(1, int(n * block / elapsed))
        return median(timed(run, n) for _ in range(BLOCKS)) / n


def timed(run: Callable[[int], object], n: int) -> float:
    """Seconds that `run(n)` takes."""
    start = time.perf_counter()
    run(n)
    return time.perf_counter() - start


def rested(operation: Callable[[], object], n: int) -> float:
    """Median seconds of an operation when whoever else takes part in it has fallen asleep."""
    times = []
    for _ in repeat(None, n):
        time.sleep(PAUSE)
        start = time.perf_counter()
        operation()
        times.append(time.perf_counter() - start)
    return median(times)


def one_core() -> tuple[int, int]:
    """The same processor twice, for two threads that are to share it."""
    core = min(os.sched_getaffinity(0))
    return core, core


def two_cores() -> tuple[int, int]:
    """Two different processors that we may use.

    Raises:
        UnavailableError: there is only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise UnavailableError("needs two processors")
    return usable[0], usable[1]


def pin(core: int) -> None:
    """Keeps the calling thread on one processor: an unpinned wake-up measures the scheduler."""
    os.sched_setaffinity(0, {core})


@dataclass(frozen=True)
class Contender:
    """One way to do the thing that is measured."""

    name: str
    sample: Callable[[Scale], float]  # one complete sample, in the measure's unit
    requires: str | None = None  # an optional package


@dataclass(frozen=True)
class Measure:
    """A thing that is measured, the ways to do it, and what ours must reach."""

    title: str
    unit: str
    contenders: tuple[Contender, ...]
    targets: tuple[Target, ...] = ()
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        names = {contender.name for contender in self.contenders}
        wanted = {t.contender for t in self.targets} | {t.other for t in self.targets if t.other}
        if not wanted <= names or len(names) != len(self.contenders):
            raise ValueError(f"{self.title}: {sorted(wanted - names)} are no contenders")


def take_sample(script: Path, index: int, name: str, quick: bool) -> tuple[float | None, str]:
    """One sample in a fresh process: its figure, or None and the reason."""
    command = [sys.executable, str(script), "--sample", str(index), name]
    command += ["--quick"] if quick else []
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SAMPLE_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"FAILED: no result after {SAMPLE_TIMEOUT:g} s"
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result["figure"], result["unavailable"]
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return None, f"FAILED: {lines[-1]}"


def run_measure(script: Path, index: int, measure: Measure, quick: bool, rounds: int) -> Results:
    """All samples of measure number `index` of a script, interleaved."""
    names = tuple(contender.name for contender in measure.contenders)
    results = Results(measure.title, measure.unit, measure.targets, measure.higher_is_better, names)
    for contender in measure.contenders:
        if contender.requires and importlib.util.find_spec(contender.requires) is None:
            results.problems[contender.name] = f"{contender.requires} is not installed"
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if name in results.problems:
                continue
            figure, problem = take_sample(script, index, name, quick)
            if figure is None:
                results.problems[name] = problem
            else:
                results.figures.setdefault(name, []).append(figure)
    return results


def parse(argv: Sequence[str] | None, description: str | None) -> argparse.Namespace:
    """The options that every script has, and the runner of them all."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="check the scripts, not the speed")
    parser.add_argument(
        "--rounds", type=int, default=None, help=f"samples of each contender (default: {ROUNDS})"
    )
    parser.add_argument("--json", action="store_true", help="print data instead of a table")
    parser.add_argument("--sample", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.rounds is None:
        options.rounds = 1 if options.quick else ROUNDS
    return options


def main(script: str, description: str | None, measures: Sequence[Measure]) -> int:
    """The command line of one script: takes the samples, or is one of them."""
    options = parse(None, description)
    if options.sample:
        return be_sample(measures[int(options.sample[0])], options.sample[1], options.quick)
    path = Path(script)
    results = [
        run_measure(path, index, measure, options.quick, options.rounds)
        for index, measure in enumerate(measures)
    ]
    return report(results, options.json)


def be_sample(measure: Measure, name: str, quick: bool) -> int:
    """In the fresh process: prints one figure."""
    contender = next(each for each in measure.contenders if each.name == name)
    figure, unavailable = None, ""
    try:
        figure = contender.sample(Scale(quick))
    except UnavailableError as error:
        unavailable = str(error)
    print(json.dumps({"figure": figure, "unavailable": unavailable}))
    return 0
