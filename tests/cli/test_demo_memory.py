"""The memory of the demo does not depend on how large the files are, nor on how many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SparseFile = Callable[[str, int], Path]
MIB = 1024 * 1024


OPTIONS = ["--workers", "--processes"]


def peak_memory(path: Path, option: str) -> int:
    """The largest resident size, in bytes, of a process of a demo over `path`."""
    command = [sys.executable, "-m", "mojo_seq", "demo", option, "2", "--json", str(path)]
    demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(demo.pid, 0)
    demo.returncode = os.waitstatus_to_exitcode(status)
    assert demo.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize("option", OPTIONS)
def test_a_gigabyte_of_large_files_takes_no_more_memory(
    sparse_file: SparseFile, tmp_path: Path, option: str
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    for number in range(4):
        sparse_file(f"small/{number}", MIB)
        sparse_file(f"large/{number}", 256 * MIB)
    small = peak_memory(tmp_path / "small", option)
    assert peak_memory(tmp_path / "large", option) < small + 32 * MIB


@pytest.mark.parametrize("option", OPTIONS)
def test_many_files_take_hardly_more_memory(tmp_path: Path, option: str) -> None:
    for name, count in (("few", 100), ("many", 10_000)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}").write_text(f"{number}")
    few = peak_memory(tmp_path / "few", option)
    assert peak_memory(tmp_path / "many", option) < few + 16 * MIB
