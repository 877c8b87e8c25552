"""A run: every contender of every case once in each round, until all rounds are done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import FrameType

from mojo_seq.cli.bench.cases import load_case
from mojo_seq.cli.bench.figures import interleaved
from mojo_seq.cli.bench.fresh_process import take_sample
from mojo_seq.cli.bench.library import Library
from mojo_seq.cli.bench.machine import Machine, Others, load
from mojo_seq.cli.bench.measured import Measured
from mojo_seq.cli.bench.process_tree import adopting_orphans, descendants, end_descendants
from mojo_seq.cli.bench.progress import Progress
from mojo_seq.cli.bench.sample import command

PATIENCE = 60.0  # seconds that a sample is given on top of what it measures
LEFT_ALONE = 1.0  # seconds that processes have to end by themselves at last
TIMES_LONGER = 50  # than it measures, if its contender is very slow


@dataclass
class Run:
    """What is to be measured, and what was."""

    names: Sequence[str]  # of cases
    peers: Sequence[Library]  # that take part if they are installed
    rounds: int
    seconds: float  # of work that a sample's figure is of, about
    machine: Machine = field(default_factory=Machine.this_one)
    cases: list[Measured] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)  # at the beginning and at the end
    others: float = 0.0  # processors that others kept busy meanwhile
    date: str = ""
    signal: int | None = None  # that interrupted it

    def __post_init__(self) -> None:
        modules = [peer.module for peer in self.peers if peer.is_installed]
        for name in self.names:
            case = load_case(name)
            contenders = [k.name for k in case.contenders if k.requires in (None, *modules)]
            self.cases.append(Measured.nothing_yet(name, case, contenders))
        wanted = {library for case in self.cases for library in case.libraries.values()}
        self.compared = [p for p in self.peers if p.module in wanted and p.is_installed]
        self.missing = [p for p in self.peers if p.module in wanted and not p.is_installed]

    @property
    def failed(self) -> bool:
        """Some sample failed; that this machine cannot take one is no failure."""
        problems = [problem for case in self.cases for problem in case.problems.values()]
        return any(problem.startswith("FAILED") for problem in problems)

    @property
    def samples(self) -> int:
        """How many a round has."""
        return sum(len(case.contenders) for case in self.cases)

    def measure(self, progress: Progress) -> None:
        """Take all samples. Ctrl-C, or SIGTERM, ends it early and leaves no process."""
        self.date = time.strftime("%Y-%m-%d %H:%M %Z")
        self.loads.append(load())
        others = Others()
        try:
            with raising_on_signals(self), leaving_no_process():
                self._take_samples(progress)
        except KeyboardInterrupt:
            pass  # `signal` tells
        self.loads.append(load())
        self.others = others.processors()

    def _take_samples(self, progress: Progress) -> None:
        with TemporaryDirectory(prefix="mojo-bench-", ignore_cleanup_errors=True) as folder:
            environment = {**os.environ, "TMPDIR": folder}  # what is left there goes with it
            timeout = PATIENCE + TIMES_LONGER * self.seconds
            for turn in range(self.rounds):
                for case in self.cases:
                    for contender in interleaved(case.contenders, turn):
                        if contender in case.problems:
                            continue
                        with progress.sampling(turn, case.name, contender):
                            line = command(case.name, contender, self.seconds)
                            case.add(contender, take_sample(line, timeout, environment))


@contextmanager
def leaving_no_process() -> Iterator[None]:
    """Whatever was started inside has ended after it."""
    spared = descendants()
    with adopting_orphans():
        try:
            yield
        finally:
            end_descendants(spared, LEFT_ALONE)


@contextmanager
def raising_on_signals(run: Run) -> Iterator[None]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt, once: what is then to be ended ends in peace."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if run.signal is None:
            run.signal = number
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
