"""What was measured of one case, and how the peers compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.figures import Figures, number
from mojo_seq.cli.bench.fresh_process import Sample


@dataclass(frozen=True)
class Comparison:
    """How many times as good as the first contender another one is; by rounds."""

    median: float
    min: float
    max: float

    @property
    def is_even(self) -> bool:
        """The rounds do not agree on which one is better."""
        return self.min < 1 < self.max or self.median == 1

    def __str__(self) -> str:
        if self.is_even:
            return "about even"
        if self.median > 1:
            return f"{number(self.median)}x faster"
        return f"{number(1 / self.median)}x slower" if self.median else "infinitely slower"


@dataclass
class Measured(Figures):
    """The figures of a case."""

    name: str = ""
    cpu: dict[str, list[float]] = field(default_factory=dict)  # seconds of an operation
    libraries: dict[str, str | None] = field(default_factory=dict)  # what contenders require

    @classmethod
    def nothing_yet(cls, name: str, case: Case, contenders: list[str]) -> Measured:
        """Of these contenders of the case."""
        libraries = {each.name: each.requires for each in case.contenders}
        names = tuple(contenders)
        return cls(
            case.title, case.unit, case.higher_is_better, names, name=name, libraries=libraries
        )

    def add(self, contender: str, sample: Sample) -> None:
        """What one sample of the contender has found."""
        if sample.figure is None:
            self.problems[contender] = sample.problem
            return
        self.figures.setdefault(contender, []).append(sample.figure)
        if sample.cpu is not None:
            self.cpu.setdefault(contender, []).append(sample.cpu)

    def has_figures(self, contender: str) -> bool:
        return contender not in self.problems and contender in self.figures

    def median(self, contender: str) -> float:
        return median(self.figures[contender])

    def median_cpu(self, contender: str) -> float | None:
        """Seconds of processor time of an operation, of all processes that take part."""
        return median(self.cpu[contender]) if contender in self.cpu else None

    def comparison(self, contender: str) -> Comparison | None:
        """With the first contender. None: it is that one, or there is no round that has both."""
        first = self.contenders[0]
        if contender == first:
            return None
        names = (contender, first) if self.higher_is_better else (first, contender)
        quotients = self.quotients(*names)
        if not quotients:
            return None
        return Comparison(median(quotients), min(quotients), max(quotients))
