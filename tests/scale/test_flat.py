"""What an operation costs does not depend on how many others of its kind there are.

It is counted, in instructions, so that it is the same however busy the machine is. How the times
grow, which the caches have a part in, is measured in tests/perf.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))

from operations import OPERATIONS  # noqa: E402
from stepping import begin, count  # noqa: E402

FEW, MANY = 40, 1_000
MOST = 1.5  # what looks through all would take ten times as long, at least


def counts(n: int) -> dict[str, int]:
    """Instructions of each operation with so many."""
    mine = sorted(os.sched_getaffinity(0))
    # Each step is a change from one process to the other.
    os.sched_setaffinity(0, {mine[os.getpid() % len(mine)]})
    process = subprocess.Popen([sys.executable, str(FOLDER / "operations.py"), str(n)])
    found: dict[str, int] = {}
    try:
        begin(process.pid)
        for name in OPERATIONS:
            steps = count(process.pid)
            assert steps is not None, name
            found[name] = steps
        assert count(process.pid) is None
        process.returncode = 0  # it was waited for
    finally:
        os.sched_setaffinity(0, mine)
        if process.returncode is None:
            process.kill()
            process.wait()
    return found


@pytest.mark.timeout(230)
def test_operations_take_as_long_among_many() -> None:
    few, many = counts(FEW), counts(MANY)
    grown = {name: (few[name], many[name]) for name in few if many[name] > MOST * few[name]}
    assert not grown
