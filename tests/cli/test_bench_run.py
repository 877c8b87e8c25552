"""``python -m mojo_seq bench`` measures every case, and leaves nothing however it ends."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_under_way import BenchUnderWay, bench_under_way

from mojo_seq.cli.bench.cases import NAMES, load_case

# Every sample is a process or several, on a machine that may be busy.
pytestmark = pytest.mark.timeout(240)

QUICK = ("--rounds", "1", "--seconds", "0.001")


def bench(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "mojo_seq", "bench", *arguments]
    options = {"text": True, "cwd": folder, **options}
    return subprocess.run(command, capture_output=True, check=False, **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_case_has_figures_of_all_that_are_installed(name: str, tmp_path: Path) -> None:
    done = bench(tmp_path, name, *QUICK, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (case,) = json.loads(done.stdout)["cases"]
    expected = [each.name for each in load_case(name).contenders if each.is_installed]
    assert [each["name"] for each in case["contenders"]] == expected
    for contender in case["contenders"]:
        assert contender["problem"] is None
        assert contender["median"] > 0 and len(contender["samples"]) == 1
        assert contender["cpu_seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_rounds_and_a_plot(tmp_path: Path) -> None:
    done = bench(tmp_path, "pipe", "post", "--rounds", "2", "--seconds", "0.001", "--peers=queue")
    assert done.returncode == 0, done.stderr
    assert "pipe: 64 B written and read, one thread; lower is better" in done.stdout
    assert "queue.SimpleQueue" in done.stdout and "multiprocessing" not in done.stdout
    assert "round 2 of 2" in done.stderr
    if importlib.util.find_spec("matplotlib") is None:
        assert "\nCost of an operation, on a scale from 1 (the best) to" in done.stdout
    else:
        assert done.stdout.endswith("\nplot: mojo_seq-bench.png\n")
        assert (tmp_path / "mojo_seq-bench.png").stat().st_size > 0


def test_settings_are_inherited_and_shown(tmp_path: Path) -> None:
    environment = {**os.environ, "MOJO_SEQ_RINGS": "never"}
    done = bench(tmp_path, "pipe", *QUICK, "--peers=queue", "--json", env=environment)
    assert json.loads(done.stdout)["machine"]["settings"]["MOJO_SEQ_RINGS"] == "never"


def test_a_failing_sample_fails_the_run_and_not_the_others(tmp_path: Path) -> None:
    """The peer is there for the bench, but cannot be imported by its samples."""
    (tmp_path / "zmq.py").write_text("raise ImportError('this zmq is broken')")
    done = bench(tmp_path, "pipe", *QUICK, "--no-plot", "--peers=queue,pyzmq")
    assert done.returncode == 1
    assert "pipe, pyzmq, inproc: FAILED: ImportError: this zmq is broken\n" in done.stdout
    assert re.search(r"^  queue\.SimpleQueue +[\d.]+ [nu]s ", done.stdout, re.MULTILINE)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m mojo_seq bench --list | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("pipe: ")


def ended(bench: BenchUnderWay) -> str:
    """Its output; nothing is left of it."""
    output, errors = bench.process.communicate()
    assert "Traceback" not in errors
    assert bench.processes() == set()
    return output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_prints_what_there_is(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    arguments = ("pipe", "round-trip", "--rounds", "1000", "--seconds", "0.001", "--no-plot")
    with bench_under_way(tmp_path, *arguments) as bench:
        bench.until_round(2)
        bench.process.send_signal(number)
        output = ended(bench)
    assert bench.process.returncode == code
    assert "Interrupted: not all rounds are in these figures." in output
    assert re.search(r"^  multiprocessing\.Pipe +[\d.]+ [nu]s ", output, re.MULTILINE)


@pytest.mark.parametrize("peer", ["concurrent.futures", "multiprocessing"])
def test_ctrl_c_ends_a_pool_of_processes(peer: str, tmp_path: Path) -> None:
    arguments = ("pool-calls", "--seconds", "60", "--no-plot", "--peers", peer)
    with bench_under_way(tmp_path, *arguments) as bench:
        bench.until_processes(6)  # itself, the sample, its workers
        bench.process.send_signal(signal.SIGINT)
        output = ended(bench)
    assert bench.process.returncode == 130
    assert "median" not in output


def test_a_bench_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with bench_under_way(tmp_path, "round-trip", "--seconds", "60") as bench:
        bench.until_processes(3)
        bench.process.kill()
        bench.process.wait()
        bench.until_gone()
