"""Every example runs, checks itself, says one line, and is short."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from dev_mode import complaints

import mojo_seq

pytestmark = pytest.mark.across_processes

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    # -W error: an example that forgets to close something fails here.
    command = [sys.executable, "-X", "dev", "-W", "error", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert len(done.stdout.splitlines()) == 1

    source = path.read_text()
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert len(source.splitlines()) <= 65


def test_examples_are_numbered_without_gaps() -> None:
    numbers = [int(path.stem.partition("_")[0]) for path in EXAMPLES]
    assert numbers == list(range(1, len(EXAMPLES) + 1))
    assert len(EXAMPLES) >= 10


def test_every_primitive_has_an_example() -> None:
    used = {
        node.id
        for path in EXAMPLES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name)
    }
    primitives = {name for name in mojo_seq.__all__ if name.startswith(("create_", "wait", "wrap"))}
    primitives |= {"Watcher", "SimpleWatcher", "WaitSet", "ThreadPool", "RunLoop", "Message"}
    assert primitives - used <= {"wrap_shared_memory"}
