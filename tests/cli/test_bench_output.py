"""mojo_seq.cli.bench.table, data and the plots: what is printed of what was measured."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mojo_seq.cli.bench.cases import NAMES, load_case
from mojo_seq.cli.bench.chart import bars
from mojo_seq.cli.bench.data import as_data, write_json
from mojo_seq.cli.bench.fresh_process import Sample
from mojo_seq.cli.bench.image_plot import draw_plot
from mojo_seq.cli.bench.library import LIBRARIES, find_library, version_of
from mojo_seq.cli.bench.machine import Machine
from mojo_seq.cli.bench.run import Run
from mojo_seq.cli.bench.table import print_table
from mojo_seq.cli.bench.terminal_plot import print_plot

MACHINE = Machine(
    "Abacus 9000", 8, 4, "Linux 6.1, x86_64", "CPython 3.11", {"MOJO_SEQ_RINGS": "auto"}
)
# Of three rounds, in nanoseconds; their processor time is the same.
PIPE = {
    "mojo_seq, message pipe": (180.0, 170.0, 190.0),
    "mojo_seq, batches of 64": (90.0, 85.0, 95.0),
    "queue.SimpleQueue": (60.0, 56.0, 62.0),
    "multiprocessing.Pipe": (3600.0, 3500.0, 3700.0),
    "pyzmq, inproc": (175.0, 180.0, 180.0),
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setitem(sys.modules, "ray", None)  # it is not installed, and Pykka is not asked for
    peers = [find_library(name) for name in ("queue", "multiprocessing", "pyzmq", "Ray")]
    result = Run(["pipe", "ask-process"], peers, 3, 0.2, machine=MACHINE)
    result.loads, result.others, result.date = [0.25, 1.5], 0.1, "2026-01-02 03:04 UTC"
    pipe, ask = result.cases
    for name in pipe.contenders:
        for figure in PIPE[name]:
            pipe.add(name, Sample(figure, cpu=figure * 1e-9))
    ask.add("mojo_seq", Sample(None, problem="FAILED: OSError: no such luck"))
    return result


TABLE = """\

  processor    Abacus 9000; 4 of 8 usable
  system       Linux 6.1, x86_64; CPython 3.11
  load         0.2 before, 1.5 after; others kept 0.1 processors busy
  mojo_seq     {ours}, MOJO_SEQ_RINGS=auto
  compared to  queue, multiprocessing; {zmq}
  samples      3 rounds, 0.2 s each, 2026-01-02 03:04 UTC

pipe: 64 B written and read, one thread; lower is better
                            median    min .. max      CPU  than the first
  mojo_seq, message pipe    180 ns    170 .. 190   180 ns
  mojo_seq, batches of 64  90.0 ns  85.0 .. 95.0  90.0 ns  2.00x faster
  queue.SimpleQueue        60.0 ns  56.0 .. 62.0  60.0 ns  3.04x faster
  multiprocessing.Pipe     3.60 us  3.50 .. 3.70  3.60 us  20.0x slower
  pyzmq, inproc             180 ns    175 .. 180   180 ns  about even

ask-process: ask an actor in another process; lower is better
                            median    min .. max      CPU  than the first
  mojo_seq                       -                         see below

Medians of 3 rounds, and min .. max. Each sample is a fresh process; they take turns.
CPU: what an operation keeps processors busy, in all processes together; who
spins while waiting pays here. Faster, slower: the median of the rounds' ratios;
"about even": the rounds do not agree.
ask-process, mojo_seq: FAILED: OSError: no such luck
Not installed: Ray.
"""


def test_the_table(run: Run) -> None:
    out = io.StringIO()
    print_table(run, out)
    expected = TABLE.format(ours=version_of("mojo_seq"), zmq=find_library("pyzmq").label)
    assert out.getvalue() == expected


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("rich", [True, False])
def test_on_a_terminal_it_says_the_same(
    run: Run, rich: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    if not rich:
        monkeypatch.setitem(sys.modules, "rich", None)
        monkeypatch.setitem(sys.modules, "rich.console", None)
    out = Terminal()
    print_table(run, out)
    text = " ".join(out.getvalue().split())
    for words in ("20.0x slower", "3.50 .. 3.70", "no such luck", "Abacus 9000", "installed: Ray"):
        assert words in text
    assert ("╭─ python -m mojo_seq bench" in text) is rich


def test_warnings(run: Run) -> None:
    run.others, run.signal = 2.5, 2
    out = io.StringIO()
    print_table(run, out)
    assert "Interrupted: not all rounds are in these figures." in out.getvalue()
    assert "Warning: other programs kept 2.5 of 8 processors busy" in out.getvalue()


def test_nothing_was_measured() -> None:
    run = Run(["pipe"], LIBRARIES, 1, 0.1, machine=MACHINE)
    run.loads = [0.0, 0.0]
    out = io.StringIO()
    print_table(run, out)
    print_plot(run.cases, out)
    assert "Abacus 9000" in out.getvalue() and "median" not in out.getvalue()


def test_data(run: Run) -> None:
    out = io.StringIO()
    write_json(run, out)
    data: dict[str, Any] = json.loads(out.getvalue())
    assert data == as_data(run)
    pipe, ask = data.pop("cases")
    assert data == {
        "machine": {
            "processor": "Abacus 9000",
            "processors": 8,
            "usable": 4,
            "system": "Linux 6.1, x86_64",
            "python": "CPython 3.11",
            "settings": {"MOJO_SEQ_RINGS": "auto"},
        },
        "load": {"before": 0.25, "after": 1.5, "others": 0.1},
        "versions": {name: version_of(name) for name in ("mojo_seq", "pyzmq")},
        "missing": ["Ray"],
        "date": "2026-01-02 03:04 UTC",
        "rounds": 3,
        "seconds": 0.2,
        "interrupted": False,
        "warnings": [],
    }
    assert (pipe["name"], pipe["unit"], pipe["higher_is_better"]) == ("pipe", "ns", False)
    assert [each["name"] for each in pipe["contenders"]] == list(PIPE)
    assert pipe["contenders"][3] == {
        "name": "multiprocessing.Pipe",
        "library": "multiprocessing",
        "samples": [3600.0, 3500.0, 3700.0],
        "median": 3600.0,
        "min": 3500.0,
        "max": 3700.0,
        "cpu_seconds": pytest.approx(3.6e-6),
        "times_as_good": {
            "median": pytest.approx(0.05),
            "min": pytest.approx(17 / 350),
            "max": pytest.approx(19 / 370),
        },
        "problem": None,
    }
    assert ask["contenders"] == [
        {
            "name": "mojo_seq",
            "library": None,
            "samples": [],
            **dict.fromkeys(("median", "min", "max", "cpu_seconds", "times_as_good")),
            "problem": "FAILED: OSError: no such luck",
        }
    ]


PLOT = """\

Cost of an operation, on a scale from 1 (the best) to 60

pipe
  mojo_seq, message pipe   ████████████ 180 ns
  mojo_seq, batches of 64  ██████ 90.0 ns
  queue.SimpleQueue        ░░ 60.0 ns
  multiprocessing.Pipe     ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 3.60 us
  pyzmq, inproc            ░░░░░░░░░░░░ 180 ns
"""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_plot_in_text(run: Run, encoding: str) -> None:
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding, newline="") as out:
        print_plot(run.cases, out)
        out.flush()
        text = buffer.getvalue().decode(encoding)
    expected = PLOT if encoding == "utf-8" else PLOT.replace("█", "#").replace("░", "-")
    assert text == expected


def test_bars_of_rates_are_those_of_what_one_operation_costs() -> None:
    run = Run(["one-way"], [find_library("multiprocessing")], 1, 0.1, machine=MACHINE)
    (case,) = run.cases
    for name, figure in zip(case.contenders, (500.0, 2000.0, 50.0), strict=True):
        case.add(name, Sample(figure))
    found = bars(case)
    assert [bar.cost for bar in found] == pytest.approx([4.0, 1.0, 40.0])
    assert [bar.figure for bar in found] == ["500 k/s", "2.00 M/s", "50.0 k/s"]
    assert [bar.is_ours for bar in found] == [True, True, False]


def test_the_plot_as_an_image(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    if importlib.util.find_spec("matplotlib") is None:
        with pytest.raises(ModuleNotFoundError):
            draw_plot(run.cases, "Abacus", path)
        return
    draw_plot(run.cases, "Abacus", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    draw_plot(run.cases, "Abacus", tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text()


def test_every_case_says_what_it_is() -> None:
    """Nothing in a line of the table is wider than a terminal."""
    libraries = {library.module for library in LIBRARIES}
    for name in NAMES:
        case = load_case(name)
        better = "higher" if case.higher_is_better else "lower"
        assert len(f"{name}: {case.title}; {better} is better") <= 80
        assert case.contenders[0].requires is None
        assert any(each.requires for each in case.contenders)
        assert len({each.name for each in case.contenders}) == len(case.contenders)
        for contender in case.contenders:
            assert len(contender.name) <= 26
            assert contender.requires in (None, *libraries)
            assert contender.name.startswith("mojo_seq") is (contender.requires is None)
