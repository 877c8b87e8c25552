"""mojo_seq.cli.reader: the test is the worker, so files can change at any moment it likes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mojo_seq import (
    DataPipeConsumerHandle,
    PeerClosedError,
    RunLoop,
    ShouldWaitError,
    create_message_pipe,
)
from mojo_seq.cli import reader
from mojo_seq.cli.reader import CAPACITY, FILES_PER_WORKER, Reader
from mojo_seq.cli.records import from_message, to_message


class Bench:
    """A reader on a run loop that runs only when the test says so, and a worker by hand."""

    def __init__(self, root: Path) -> None:
        self.cancelled = False
        self.worker, near = create_message_pipe()
        self.results, listener = create_message_pipe()
        self.readers: list[Reader] = []
        self._loop = RunLoop()

        def start() -> None:
            self.readers.append(Reader([str(root)], [near], listener, lambda: self.cancelled))

        self._loop.task_runner.post_task(start)
        self.run()

    def run(self) -> None:
        self._loop.run_until_idle()

    def requests(self) -> dict[int, DataPipeConsumerHandle]:
        """The jobs that have arrived, and what they are to be read from; none after the last."""
        found: dict[int, DataPipeConsumerHandle] = {}
        try:
            messages = self.worker.read_batch()
        except PeerClosedError:
            return found
        for message in messages:
            with message:
                (consumer,) = message.take_handles()
                assert isinstance(consumer, DataPipeConsumerHandle)
                found[int.from_bytes(bytes(message))] = consumer
        return found

    def drain(self, consumer: DataPipeConsumerHandle) -> int:
        """Read to the end, letting the reader run in between; the number of bytes."""
        nbytes = 0
        with consumer:
            while True:
                try:
                    nbytes += consumer.discard(CAPACITY)
                except ShouldWaitError:
                    self.run()
                except PeerClosedError:
                    return nbytes

    def reply(self, job: int, nbytes: int) -> None:
        record = {"job": job, "nbytes": nbytes, "sha256": f"{job:064x}", "entropy": 1.5}
        self.worker.write_message(to_message(record))
        self.run()

    def serve_all(self) -> None:
        while requests := self.requests():
            for job, consumer in requests.items():
                self.reply(job, self.drain(consumer))

    def outcomes(self) -> list[dict[str, Any]]:
        """What the listener was told; the pipe must be closed by now."""
        found = []
        with pytest.raises(PeerClosedError):
            while True:
                content = from_message(self.results.read())
                if "progress" not in content:
                    found.append(content)
        return found

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()
        self.results.close()


def changed(path: Path, reason: str) -> dict[str, Any]:
    return {"problem": {"path": str(path), "kind": "changed", "reason": reason}}


def test_files_become_requests_and_replies_become_outcomes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with Bench(tmp_path) as bench:
        ((job, consumer),) = bench.requests().items()
        assert consumer.read() == b"12345"
        assert consumer.query_signals_state().peer_closed
        consumer.close()
        bench.reply(job, 5)
        figures = {"size": 5, "sha256": f"{job:064x}", "entropy": 1.5}
        assert bench.outcomes() == [{"file": {"path": str(tmp_path / "file"), **figures}}]


def test_no_more_files_in_flight_than_the_worker_has_slots(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}").touch()
    with Bench(tmp_path) as bench:
        most, jobs = 0, 0
        while requests := bench.requests():
            most = max(most, len(requests))
            for job, consumer in requests.items():
                consumer.close()
                jobs += 1
                bench.reply(job, 0)
        assert (most, jobs) == (FILES_PER_WORKER, 100)
        assert len(bench.outcomes()) == 100


def test_a_full_pipe_stops_the_file_and_nothing_else(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).write_bytes(bytes(3 * CAPACITY))
    with Bench(tmp_path) as bench:
        (slow_job, slow), (job, other) = bench.requests().items()
        assert slow.query() == CAPACITY
        assert bench.drain(other) == 3 * CAPACITY
        bench.reply(job, 3 * CAPACITY)
        assert slow.query() == CAPACITY  # it had to wait, and has
        assert bench.drain(slow) == 3 * CAPACITY
        bench.reply(slow_job, 3 * CAPACITY)
        assert len(bench.outcomes()) == 2


@pytest.mark.parametrize("after", [0, CAPACITY, 3 * CAPACITY - 1, 3 * CAPACITY + 1, 5 * CAPACITY])
def test_a_file_that_changes_its_size_while_read(tmp_path: Path, after: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * CAPACITY))
    with Bench(tmp_path) as bench:
        ((job, consumer),) = bench.requests().items()
        os.truncate(path, after)  # the first window is full, the file still open
        bench.reply(job, bench.drain(consumer))
        reason = f"size went from {3 * CAPACITY} to {after} bytes while it was read"
        assert bench.outcomes() == [changed(path, reason)]


def test_a_file_that_is_rewritten_while_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * CAPACITY))
    with Bench(tmp_path) as bench:
        ((job, consumer),) = bench.requests().items()
        with path.open("r+b") as file:
            file.write(b"x")
        os.utime(path, (1, 1))  # however coarse the clock of the file system
        bench.reply(job, bench.drain(consumer))
        assert bench.outcomes() == [changed(path, "modified while it was read")]


def test_a_file_that_grows_as_fast_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "GROWTH_LIMIT", 4 * CAPACITY)
    path = tmp_path / "file"
    path.write_bytes(bytes(CAPACITY))
    size = CAPACITY
    with Bench(tmp_path) as bench:
        ((job, consumer),) = bench.requests().items()
        nbytes = 0
        with consumer:
            while not consumer.query_signals_state().peer_closed:
                size += 2 * CAPACITY
                os.truncate(path, size)
                nbytes += consumer.discard(CAPACITY)
                bench.run()
            nbytes += consumer.discard(CAPACITY)
        assert nbytes <= 7 * CAPACITY
        bench.reply(job, nbytes)
        reason = f"size went from {CAPACITY} to {size} bytes while it was read"
        assert bench.outcomes() == [changed(path, reason)]


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
    with Bench(tmp_path) as bench:
        consumers = list(bench.requests().values())
        bench.cancelled = True
        consumers[0].discard(CAPACITY)  # room, so the reader gets its turn
        bench.run()
        for consumer in consumers:
            assert consumer.query_signals_state().peer_closed
            consumer.close()
        assert bench.worker.query_signals_state().peer_closed
        assert bench.outcomes() == []
