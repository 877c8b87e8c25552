"""What is known about the files so far, in memory that hardly grows with their number."""

from __future__ import annotations

import json
import tempfile
import time
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mojo_seq.cli.lost_worker import LostWorker

BIN_WIDTH = 0.5  # bits per byte
BINS = 16  # from 0 to 8 bits per byte


class Duplicates(NamedTuple):
    """Files with the same content."""

    sha256: str
    size: int
    paths: list[str]

    @property
    def wasted(self) -> int:
        return self.size * (len(self.paths) - 1)


class Ledger:
    """Keeps the records in a temporary file, and of each file 8 bytes of its digest in memory.

    That is enough to find the records that matter for duplicates in a second pass.
    """

    def __init__(self) -> None:
        self.files = self.nbytes = self.problems = 0
        self.bin_files, self.bin_bytes = [0] * BINS, [0] * BINS
        self.lost_workers: list[LostWorker] = []
        self.seconds = 0.0
        self.interrupted = False
        self._records = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 (see close)
        self._prefixes = array("Q")
        self._started = time.monotonic()

    def add_files(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            self.files += 1
            self.nbytes += record["size"]
            number = min(int(record["entropy"] / BIN_WIDTH), BINS - 1)
            self.bin_files[number] += 1
            self.bin_bytes[number] += record["size"]
            self._prefixes.append(_prefix(record))
            self._records.write(json.dumps(record) + "\n")

    def add_problem(self, record: dict[str, Any]) -> None:
        self.problems += 1
        self._records.write(json.dumps(record) + "\n")

    def finish(self, *, interrupted: bool) -> None:
        self.seconds = time.monotonic() - self._started
        self.interrupted = interrupted

    @property
    def mb_per_second(self) -> float:
        return self.nbytes / 1e6 / self.seconds if self.seconds else 0.0

    def records(self, *, problems: bool) -> Iterator[dict[str, Any]]:
        """The files, or the problems, in the order they came. One iteration at a time."""
        self._records.seek(0)
        return (r for r in map(json.loads, self._records) if ("reason" in r) == problems)

    def duplicates(self) -> list[Duplicates]:
        """The groups of files with the same content, the largest waste first."""
        values, counts = np.unique(np.array(self._prefixes), return_counts=True)
        repeated = set(values[counts > 1].tolist())
        groups: dict[str, Duplicates] = {}
        for record in self.records(problems=False):
            if _prefix(record) in repeated:
                key, size, path = record["sha256"], record["size"], record["path"]
                groups.setdefault(key, Duplicates(key, size, [])).paths.append(path)
        found = [group for group in groups.values() if len(group.paths) > 1]
        for group in found:
            group.paths.sort()
        return sorted(found, key=lambda group: (-group.wasted, -len(group.paths), group.paths))

    def close(self) -> None:
        self._records.close()


def _prefix(record: dict[str, Any]) -> int:
    return int(record["sha256"][:16], 16)
