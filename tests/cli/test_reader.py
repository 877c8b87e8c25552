"""mojo_seq.cli.reader, lane and open_file: files can change at any moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from reader_bench import Bench

from mojo_seq.cli import open_file, reader
from mojo_seq.cli.lane import CAPACITY, CHUNK, UNANSWERED


def changed(path: Path, reason: str) -> dict[str, Any]:
    return {"problem": {"path": str(path), "kind": "changed", "reason": reason}}


def test_files_become_parts_and_replies_become_outcomes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with Bench(tmp_path) as bench:
        (worker,) = bench.workers
        assert worker.requests() == [[(5, True)]]
        assert worker.stream.read(5, peek=True) == b"12345"
        worker.answer([(5, True)])
        bench.run()
        figures = {"size": 5, "sha256": f"{5:064x}", "entropy": 1.5}
        assert bench.outcomes() == [{"file": {"path": str(tmp_path / "file"), **figures}}]


def test_a_large_file_comes_in_chunks_as_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(2 * CAPACITY + 5))
    with Bench(tmp_path) as bench:
        (worker,) = bench.workers
        requests = worker.requests()
        assert requests == [[(CHUNK, False)]] * (CAPACITY // CHUNK)
        assert worker.stream.query() == CAPACITY
        for parts in requests:
            worker.answer(parts)
            bench.run()
        assert worker.stream.query() == CAPACITY  # refilled, chunk by chunk
        bench.serve_all()
        (outcome,) = bench.outcomes()
        assert outcome["file"]["size"] == 2 * CAPACITY + 5


def test_small_files_share_a_request(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}").write_bytes(bytes(number))
    with Bench(tmp_path) as bench:
        (worker,) = bench.workers
        (parts,) = worker.requests()
        assert sorted(parts) == [(0, True), *((nbytes, True) for nbytes in range(1, 100))]
        worker.answer(parts)
        bench.run()
        assert sorted(o["file"]["size"] for o in bench.outcomes()) == list(range(100))


def test_the_reader_gets_only_so_far_ahead_of_a_worker(tmp_path: Path) -> None:
    for number in range(3 * UNANSWERED):
        (tmp_path / f"{number}").touch()
    with Bench(tmp_path) as bench:
        (worker,) = bench.workers
        for _ in range(3):
            requests = worker.requests()
            assert sum(map(len, requests)) == UNANSWERED
            bench.run()
            assert worker.requests() == []
            for parts in requests:
                worker.answer(parts)
            bench.run()
        assert len(bench.outcomes()) == 3 * UNANSWERED


def test_a_slow_worker_stops_nobody_else(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}").write_bytes(bytes(2 * CAPACITY))
    with Bench(tmp_path, workers=2) as bench:
        slow, fast = bench.workers
        bench.workers = [fast]
        bench.serve_all()
        assert slow.stream.query() == CAPACITY  # it has its first file, and had to wait with it
        bench.workers = [slow, fast]
        bench.serve_all()
        assert [o["file"]["size"] for o in bench.outcomes()] == [2 * CAPACITY] * 4


@pytest.mark.parametrize(
    "after", [0, 1, CAPACITY, 3 * CAPACITY - 1, 3 * CAPACITY + 1, 5 * CAPACITY]
)
def test_a_file_that_changes_its_size_while_read(tmp_path: Path, after: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * CAPACITY))
    with Bench(tmp_path) as bench:
        os.truncate(path, after)  # the pipe is full, the file still open
        bench.serve_all()
        reason = f"size went from {3 * CAPACITY} to {after} bytes while it was read"
        assert bench.outcomes() == [changed(path, reason)]


def test_a_file_that_is_rewritten_while_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * CAPACITY))
    with Bench(tmp_path) as bench:
        with path.open("r+b") as file:
            file.write(b"x")
        os.utime(path, (1, 1))  # however coarse the clock of the file system
        bench.serve_all()
        assert bench.outcomes() == [changed(path, "modified while it was read")]


def test_a_file_that_grows_as_fast_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_file, "EXCESS", 2 * CAPACITY)
    path = tmp_path / "file"
    size = CAPACITY + 1
    path.write_bytes(bytes(size))
    with Bench(tmp_path) as bench:
        (worker,) = bench.workers
        rounds = 0
        while requests := worker.requests():
            size += 2 * CAPACITY
            os.truncate(path, size)
            for parts in requests:
                worker.answer(parts)
            bench.run()
            rounds += 1
        assert rounds <= 6
        (outcome,) = bench.outcomes()
        assert outcome["problem"]["reason"].startswith(f"size went from {CAPACITY + 1} to ")


def test_a_file_of_unknown_size_that_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_file, "EXCESS", CHUNK)
    monkeypatch.setattr(reader, "walk", lambda roots: iter(["/dev/zero"]))
    monkeypatch.setattr(stat, "S_ISREG", lambda mode: True)  # like a file in /proc
    with Bench(tmp_path) as bench:
        bench.serve_all()
        reason = "size is 0 bytes, but there was no end while it was read"
        assert bench.outcomes() == [changed(Path("/dev/zero"), reason)]


def test_a_read_that_fails_spoils_only_its_own_file(tmp_path: Path) -> None:
    with Bench(Path("/proc/self/mem")) as bench:
        bench.serve_all()
        (outcome,) = bench.outcomes()
    assert outcome["problem"]["reason"] == os.strerror(5)


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("secret", "open"):
        (tmp_path / name).touch()
    real = os.open

    def open_(path: str, *arguments: int) -> int:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", open_)
    with Bench(tmp_path) as bench:
        bench.serve_all()
        outcomes = bench.outcomes()
    secret = {"path": str(tmp_path / "secret"), "kind": "unreadable", "reason": "Permission denied"}
    assert {"problem": secret} in outcomes
    assert [o["file"]["path"] for o in outcomes if "file" in o] == [str(tmp_path / "open")]


def test_a_file_that_became_a_fifo_after_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(reader, "walk", lambda roots: iter([str(tmp_path / "fifo")]))
    with Bench(tmp_path) as bench:
        (outcome,) = bench.outcomes()
    assert outcome["problem"]["reason"] == "no longer a regular file"


def test_cancelling_closes_everything_at_once(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(bytes(2 * CAPACITY))
    with Bench(tmp_path, workers=3) as bench:
        bench.cancelled = True
        for worker in bench.workers:
            worker.answer(worker.requests()[0])  # room, so the reader gets its turn
        bench.run()
        for worker in bench.workers:
            assert worker.stream.query_signals_state().peer_closed
            assert worker.pipe.query_signals_state().peer_closed
        assert bench.outcomes() == []


def test_cancelling_while_all_workers_are_silent(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(2 * CAPACITY))
    with Bench(tmp_path) as bench:
        bench.cancelled = True
        bench.wake()
        assert bench.workers[0].pipe.query_signals_state().peer_closed
        assert bench.outcomes() == []
