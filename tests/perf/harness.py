"""What the measuring scripts share: measures, and their samples in fresh processes.

A script describes one or more *measures*. A measure has *contenders* (ways to do the same thing,
ours and the peers') and *targets*. Every sample of every contender is a fresh process with its own
warm-up, and the rounds are interleaved (A B C, B C A, ...), so that whatever else the machine is
doing falls on all of them alike. How that is done, and the contenders that users see as well, are
in `mojo_seq.cli.bench`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verdict import Results, Target, report

from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.figures import interleaved
from mojo_seq.cli.bench.fresh_process import Sample, print_sample, take_sample
from mojo_seq.cli.bench.scale import Scale

SAMPLE_TIMEOUT = 300.0  # seconds; a sample takes a few
ROUNDS = 7
QUICK = 0.01  # of the work


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


def sample_of(script: Path, index: int, name: str, quick: bool) -> Sample:
    """One sample, in a fresh process."""
    command = [sys.executable, str(script), "--sample", str(index), name]
    return take_sample(command + ["--quick"] * quick, SAMPLE_TIMEOUT)


def run_measure(script: Path, index: int, measure: Measure, quick: bool, rounds: int) -> Results:
    """All samples of measure number `index` of a script, interleaved."""
    names = tuple(contender.name for contender in measure.contenders)
    results = Results(
        measure.title, measure.unit, measure.higher_is_better, names, targets=measure.targets
    )
    for contender in measure.contenders:
        if not contender.is_installed:
            results.problems[contender.name] = f"{contender.requires} is not installed"
    for turn in range(rounds):
        for name in interleaved(names, turn):
            if name in results.problems:
                continue
            sample = sample_of(script, index, name, quick)
            if sample.figure is None:
                results.problems[name] = sample.problem
            else:
                results.figures.setdefault(name, []).append(sample.figure)
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
    print_sample(contender, Scale(QUICK if quick else 1.0))
    return 0
