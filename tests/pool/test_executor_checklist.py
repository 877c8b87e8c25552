"""The checklist names tests that exist, and says why of what it has no test for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
ITEMS = re.findall(
    r"^- \[(.)\] (.*(?:\n  .*)*)", (FOLDER / "EXECUTOR_CHECKLIST.md").read_text(), re.MULTILINE
)


def names_in(name: str) -> set[str]:
    tree = ast.parse((FOLDER / name).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_tests_exist() -> None:
    """`file.py::test_name`; without a file it is the last one that was named."""
    checked, file = 0, ""
    for ticked, text in ITEMS:
        named = re.findall(r"`([\w.]*)::(\w+)`", text)
        assert bool(named) == (ticked == "x"), text
        for each, test in named:
            file = each or file
            assert test in names_in(file), f"{file}::{test}"
            checked += 1
    assert checked > 60
