"""mypy and pyright complete and check refs (public contract §11)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Not a Python file by name: it is full of errors.
SNIPPETS = Path(__file__).parent / "typed_refs.py.txt"
EXPECTED = {
    number
    for number, line in enumerate(SNIPPETS.read_text().splitlines(), 1)
    if line.endswith("# error")
}


@pytest.fixture
def snippets(tmp_path: Path) -> Path:
    """A module of them."""
    file = tmp_path / "typed_refs.py"
    file.write_text(SNIPPETS.read_text())
    return file


def mypy_errors(file: Path) -> set[int]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"^([^:]+):(\d+): error:", done.stdout, re.MULTILINE)
    assert all(name.endswith(file.name) for name, _ in found), done.stdout
    return {int(number) for _, number in found}


def pyright_errors(file: Path) -> set[int]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run([*command, str(file)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    diagnostics = json.loads(done.stdout[done.stdout.index("{") :])["generalDiagnostics"]
    return {
        each["range"]["start"]["line"] + 1 for each in diagnostics if each["severity"] == "error"
    }


def explain(found: set[int]) -> str:
    lines = SNIPPETS.read_text().splitlines()
    return "\n".join(
        f"{'unexpected' if number in found else 'missing'}: {number}: {lines[number - 1].strip()}"
        for number in sorted(found ^ EXPECTED)
    )


@pytest.mark.timeout(300)
def test_mypy_agrees(snippets: Path) -> None:
    assert len(EXPECTED) > 10
    found = mypy_errors(snippets)
    assert found == EXPECTED, explain(found)


@pytest.mark.timeout(300)
def test_pyright_agrees(snippets: Path) -> None:
    # Installed from PyPI; fetches itself from npm when it is first run.
    found = pyright_errors(snippets)
    assert found == EXPECTED, explain(found)
