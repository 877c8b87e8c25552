"""The memory of the demo does not depend on how large the files are, nor on how many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SparseFile = Callable[[str, int], Path]
MIB = 1024 * 1024


def peak_memory(path: Path) -> int:
    """The largest resident size, in bytes, of a demo over `path`."""
    command = [sys.executable, "-m", "mojo_seq", "demo", "--workers", "2", "--json", str(path)]
    demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(demo.pid, 0)
    demo.returncode = os.waitstatus_to_exitcode(status)
    assert demo.returncode == 0
    return usage.ru_maxrss * 1024


def test_a_gigabyte_of_large_files_takes_no_more_memory(
    sparse_file: SparseFile, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    for number in range(4):
        sparse_file(f"small/{number}", MIB)
        sparse_file(f"large/{number}", 256 * MIB)
    assert peak_memory(tmp_path / "large") < peak_memory(tmp_path / "small") + 32 * MIB


def test_many_files_take_hardly_more_memory(tmp_path: Path) -> None:
    for name, count in (("few", 100), ("many", 10_000)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}").write_text(f"{number}")
    assert peak_memory(tmp_path / "many") < peak_memory(tmp_path / "few") + 16 * MIB
