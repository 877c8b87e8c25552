"""The same as data, for ``--json``. The object has these keys:

    machine      {"processor", "processors", "usable", "system", "python", "settings"}
    load         {"before", "after", "others"}    others: processors that others kept busy meanwhile
    versions     {"mojo_seq": "...", ...}         of the optional packages that were measured, too
    missing      names of those that are not installed
    date, rounds, seconds                         seconds: of work that a sample's figure is of
    interrupted  true if not all rounds were done
    warnings     [text, ...]
    cases        [{"name", "title", "unit", "higher_is_better", "contenders"}, ...]

A contender is {"name", "library", "samples", "median", "min", "max", "cpu_seconds", "problem",
"times_as_good"}. "library" is null for mojo_seq, "samples" are in the order of the rounds,
"cpu_seconds" is the processor time of an operation in all processes, or null. "times_as_good" is
{"median", "min", "max"} of the rounds' ratios to the case's first contender; null for that one.
What was not measured is null, and "problem" says why.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, TextIO

from mojo_seq.cli.bench.library import version_of
from mojo_seq.cli.bench.measured import Measured
from mojo_seq.cli.bench.run import Run
from mojo_seq.cli.bench.table import warnings


def write_json(run: Run, out: TextIO) -> None:
    json.dump(as_data(run), out, indent=1)
    out.write("\n")


def as_data(run: Run) -> dict[str, Any]:
    packages = [library.name for library in run.compared if not library.is_standard]
    before, after = run.loads
    return {
        "machine": asdict(run.machine),
        "load": {"before": before, "after": after, "others": round(run.others, 3)},
        "versions": {name: version_of(name) for name in ("mojo_seq", *packages)},
        "missing": [library.name for library in run.missing],
        "date": run.date,
        "rounds": run.rounds,
        "seconds": run.seconds,
        "interrupted": run.signal is not None,
        "warnings": list(warnings(run)),
        "cases": [_case(case) for case in run.cases],
    }


def _case(case: Measured) -> dict[str, Any]:
    return {
        "name": case.name,
        "title": case.title,
        "unit": case.unit,
        "higher_is_better": case.higher_is_better,
        "contenders": [_contender(case, name) for name in case.contenders],
    }


def _contender(case: Measured, name: str) -> dict[str, Any]:
    samples = case.figures.get(name, []) if case.has_figures(name) else []
    comparison = case.comparison(name)
    return {
        "name": name,
        "library": case.libraries[name],
        "samples": samples,
        "median": case.median(name) if samples else None,
        "min": min(samples, default=None),
        "max": max(samples, default=None),
        "cpu_seconds": case.median_cpu(name) if samples else None,
        "times_as_good": comparison and asdict(comparison),
        "problem": case.problems.get(name),
    }
