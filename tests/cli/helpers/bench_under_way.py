"""A bench that is under way, for tests that interfere with it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from demo_under_way import die_with_the_test, until

MARK = "MOJO_BENCH_TEST"  # in the environment of all processes that come from it


class BenchUnderWay:
    """``python -m mojo_seq bench`` with these arguments, in some folder."""

    def __init__(self, process: subprocess.Popen[str], mark: str) -> None:
        self.process = process
        self._mark = f"{MARK}={mark}".encode()

    def processes(self) -> set[int]:
        """All that come from it and have not ended, itself included."""
        found = set[int]()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with suppress(OSError):  # it has ended, or is somebody else's
                    if self._mark in (folder / "environ").read_bytes().split(b"\0"):
                        found.add(int(folder.name))
        return found

    def until_processes(self, count: int) -> None:
        """Until there are so many at least."""
        until(lambda: len(self.processes()) >= count)

    def until_gone(self) -> None:
        until(lambda: not self.processes())

    def until_round(self, number: int) -> None:
        while f"round {number} of" not in self._line():
            pass

    def _line(self) -> str:
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line, "it has ended"
        return line


@contextmanager
def bench_under_way(folder: Path, *arguments: str) -> Iterator[BenchUnderWay]:
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "mojo_seq", "bench", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, MARK: mark, "TMPDIR": str(folder)},
        preexec_fn=die_with_the_test,
    )
    with process:
        try:
            yield BenchUnderWay(process, mark)
        finally:
            process.kill()
