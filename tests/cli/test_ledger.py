"""mojo_seq.cli.ledger"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from mojo_seq.cli.ledger import Duplicates, Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with closing(Ledger()) as ledger:
        yield ledger


def record(path: str, content: bytes = b"", entropy: float = 0.0) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"path": path, "size": len(content), "sha256": digest, "entropy": entropy}


def test_files_and_problems_come_back_in_their_order(ledger: Ledger) -> None:
    files = [record(f"file {n} \udcff", b"%d" % n) for n in range(5)]
    problems = [{"path": f"p{n}", "kind": "unreadable", "reason": "why"} for n in range(5)]
    for file, problem in zip(files, problems, strict=True):
        ledger.add_files([file])
        ledger.add_problem(problem)
    assert list(ledger.records(problems=False)) == files
    assert list(ledger.records(problems=True)) == problems
    assert (ledger.files, ledger.nbytes, ledger.problems) == (5, 5, 5)


@pytest.mark.parametrize(
    ("entropy", "number"), [(0.0, 0), (0.4999, 0), (0.5, 1), (7.49, 14), (7.5, 15), (8.0, 15)]
)
def test_bins_of_entropy(ledger: Ledger, entropy: float, number: int) -> None:
    ledger.add_files([record("a", b"123", entropy)])
    assert ledger.bin_files == [int(n == number) for n in range(16)]
    assert ledger.bin_bytes == [3 * int(n == number) for n in range(16)]


def test_duplicates_are_sorted_by_waste(ledger: Ledger) -> None:
    contents = {"small": b"s", "large": b"l" * 100, "single": b"x" * 1000, "many": b"m" * 40}
    for copy in range(2):
        ledger.add_files([record(f"small{2 - copy}", contents["small"])])
        ledger.add_files([record(f"large{copy}", contents["large"])])
    for copy in range(5):
        ledger.add_files([record(f"many{copy}", contents["many"])])
    ledger.add_files([record("single", contents["single"])])
    groups = ledger.duplicates()
    assert [(group.paths[0], group.wasted) for group in groups] == [
        ("many0", 160),
        ("large0", 100),
        ("small1", 1),
    ]
    assert groups[2] == Duplicates(record("", b"s")["sha256"], 1, ["small1", "small2"])


def test_equal_beginnings_of_digests_are_not_equal_digests(ledger: Ledger) -> None:
    for number in range(3):
        ledger.add_files([{**record(f"{number}"), "sha256": "ab" * 8 + f"{number:048}"}])
    assert ledger.duplicates() == []


def test_speed_needs_time(ledger: Ledger) -> None:
    assert ledger.mb_per_second == 0.0
    ledger.add_files([record("a", bytes(1000))])
    ledger.finish(interrupted=True)
    assert ledger.interrupted
    assert ledger.mb_per_second == pytest.approx(1000 / 1e6 / ledger.seconds)
