"""What the figures amount to: comparisons, verdicts on the targets, and the table.

Figures are medians. A missed target is printed, never asserted: a time says as much about the
machine as about the code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from mojo_seq.cli.bench.figures import Figures, number


@dataclass(frozen=True)
class Target:
    """What a contender's figure is to reach: an absolute bound or a relation to another one."""

    contender: str
    text: str
    limit: float
    kind: str
    other: str | None = None

    @classmethod
    def at_most(cls, contender: str, limit: float, unit: str) -> Target:
        """The figure itself is bounded."""
        return cls(contender, f"<= {limit:g} {unit}", limit, "value")

    @classmethod
    def at_least(cls, contender: str, limit: float, unit: str) -> Target:
        """The figure itself is to reach something."""
        return cls(contender, f">= {limit:g} {unit}", limit, "floor")

    @classmethod
    def better(cls, contender: str, other: str, factor: float) -> Target:
        """At least `factor` times better than `other` (1: not worse)."""
        text = f">= {factor:g}x {other}" if factor != 1 else f"not worse than {other}"
        return cls(contender, text, factor, "advantage", other)

    @classmethod
    def within(cls, contender: str, other: str, factor: float) -> Target:
        """Costs at most `factor` times what `other` costs."""
        return cls(contender, f"<= {factor:g}x the cost of {other}", factor, "cost", other)


@dataclass
class Results(Figures):
    """The figures of one measure, and what they were to reach."""

    targets: tuple[Target, ...] = ()

    def judge(self, target: Target) -> tuple[float | None, bool | None]:
        """The value that a target speaks of, and whether it is met; None: not measured."""
        if target.other is None:
            if target.contender in self.problems:
                return None, None
            value = median(self.figures[target.contender])
            floor = target.kind == "floor"
            return value, value >= target.limit if floor else value <= target.limit
        cost = target.kind == "cost"
        names = (target.contender, target.other)
        quotient = self.quotient(*(names if cost != self.higher_is_better else names[::-1]))
        if quotient is None:
            return None, None
        return quotient, quotient <= target.limit if cost else quotient >= target.limit

    def as_data(self) -> dict[str, Any]:
        """Everything, for --json."""
        judged = [(target, *self.judge(target)) for target in self.targets]
        return {
            "title": self.title,
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            "figures": self.figures,
            "problems": self.problems,
            "targets": [
                {"contender": t.contender, "target": t.text, "value": value, "met": met}
                for t, value, met in judged
            ],
        }


ROW = "{:<46}{:>11}  {:<24}{:>9}"


def print_measure(result: Results) -> None:
    """The contenders' rows, then the targets and their verdicts."""
    direction = "higher" if result.higher_is_better else "lower"
    print(f"\n{result.title} [{result.unit}, {direction} is better]")
    for name in result.contenders:
        if problem := result.problems.get(name):
            print(f"  {name:<44}{'-':>11}  {problem}")
            continue
        values = result.figures[name]
        spread = f"{number(min(values))} .. {number(max(values))}"
        quotient = result.quotient(name, result.contenders[0])
        times = "" if quotient is None else number(quotient)
        print(ROW.format("  " + name, number(median(values)), spread, times))
    for target in result.targets:
        value, met = result.judge(target)
        verdict = {None: "not measured", True: "ok", False: "MISSED"}[met]
        shown = "-" if value is None else number(value) + ("x" if target.other else "")
        print(f"    target: {target.contender} {target.text}: {shown}  {verdict}")


def report(results: Sequence[Results], as_json: bool) -> int:
    """Prints the results. Returns 1 if a sample failed, which a missed target is not."""
    if as_json:
        print(json.dumps([result.as_data() for result in results], indent=1))
    else:
        print(ROW.format("", "median", "min .. max", "x first").rstrip())
        for result in results:
            print_measure(result)
    problems = [problem for result in results for problem in result.problems.values()]
    return 1 if any(problem.startswith("FAILED") for problem in problems) else 0
