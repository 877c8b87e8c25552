"""How the tests of the command line run the demo: in a process of its own, as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from anchors import Anchors

Run = Callable[..., subprocess.CompletedProcess[str]]
DemoJson = Callable[..., dict[str, Any]]


@pytest.fixture
def run_demo() -> Run:
    """``run_demo(*arguments)`` -> the completed process; its output is text."""

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "mojo_seq", "demo", *map(str, arguments)]
        options = {"text": True, "errors": "surrogateescape", "timeout": 200, **options}
        return subprocess.run(command, capture_output=True, **options)

    return run


@pytest.fixture
def demo_json(run_demo: Run) -> DemoJson:
    """``demo_json(*arguments)`` -> the data of a run that must succeed."""

    def run(*arguments: str | Path, **options: Any) -> dict[str, Any]:
        done = run_demo("--json", *arguments, **options)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        data = json.loads(done.stdout)
        assert isinstance(data, dict)
        return data

    return run


@pytest.fixture
def sparse_file(tmp_path: Path) -> Callable[[str, int], Path]:
    """``sparse_file(name, nbytes)``: a file of zeros that takes no space, however large."""

    def make(name: str, nbytes: int) -> Path:
        path = tmp_path / name
        path.touch()
        os.truncate(path, nbytes)
        return path

    return make


@pytest.fixture
def anchors(tmp_path: Path) -> Anchors:
    return Anchors([tmp_path / f"endless{number}" for number in range(4)])
