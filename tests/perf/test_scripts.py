"""The measuring scripts work. Nothing here looks at how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
SHARED = {
    "bare_sockets",
    "harness",
    "iceoryx2_link",
    "many_links",
    "pool_tasks",
    "process_actors",
    "pykka_actors",
    "run_all",
    "test_scripts",
    "verdict",
}
PATIENCE = 170.0  # seconds; of many samples, each a process or two, on a machine that may be busy
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SHARED)


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / f"{script}.py"), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def check(measure: dict[str, Any]) -> None:
    """Every contender has a figure, or is an optional peer that is not there."""
    for name, problem in measure["problems"].items():
        assert "not installed" in problem or "two processors" in problem, (name, problem)
    assert measure["figures"] or measure["problems"]
    for target in measure["targets"]:
        assert (target["value"] is None) == (target["met"] is None)


@pytest.mark.timeout(PATIENCE + 10)
@pytest.mark.parametrize("script", SCRIPTS)
def test_script_measures_all_its_contenders(script: str) -> None:
    done = run(script, "--quick", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    measures = json.loads(done.stdout)
    assert measures
    for measure in measures:
        assert measure["targets"], "a measure without a target is an anecdote"
        check(measure)


def test_the_runner_knows_all_scripts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import run_all; print(*run_all.SCRIPTS)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER,
    )
    assert sorted(done.stdout.split()) == SCRIPTS


def test_a_failing_sample_is_reported_and_fails_the_run(tmp_path: Path) -> None:
    script = tmp_path / "failing.py"
    script.write_text(
        f"""\
import sys

sys.path.insert(0, {str(FOLDER)!r})
from harness import Measure, main
from mojo_seq.cli.bench.contender import Contender
from verdict import Target


def fails(scale):
    raise OSError("no such luck")


MEASURES = (
    Measure(
        "failing", "s",
        (Contender("works", lambda scale: 2.0), Contender("fails", fails)),
        (Target.better("works", "fails", 2), Target.at_most("works", 1, "s")),
    ),
)
sys.exit(main(__file__, None, MEASURES))
"""
    )
    done = subprocess.run(
        [sys.executable, str(script), "--rounds", "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "FAILED: OSError: no such luck" in done.stdout
    assert "not measured" in done.stdout
    assert "2.00  MISSED" in done.stdout
