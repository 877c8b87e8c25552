"""mojo_seq.cli.worker, by its protocol alone: the test is the reader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    DataPipeProducerHandle,
    MessagePipeHandle,
    RunLoop,
    create_data_pipe,
    create_message_pipe,
)
from mojo_seq.cli.records import from_message
from mojo_seq.cli.worker import CHUNK, Worker, entropy


class Bench:
    """A worker on a run loop that runs only when the test says so."""

    def __init__(self) -> None:
        self.pipe, far = create_message_pipe()
        self.workers: list[Worker] = []
        self._loop = RunLoop()
        self._loop.task_runner.post_task(lambda: self.workers.append(Worker(far)))
        self.run()

    def run(self) -> None:
        self._loop.run_until_idle()

    def request(self, job: int, capacity: int = 4 * CHUNK) -> DataPipeProducerHandle:
        producer, consumer = create_data_pipe(capacity)
        self.pipe.write(job.to_bytes(8), [consumer])
        return producer

    def replies(self) -> list[dict[str, Any]]:
        return [from_message(message) for message in self.pipe.read_batch()]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.pipe.close()
    bench.run()


def write_all(bench: Bench, producer: DataPipeProducerHandle, data: bytes) -> None:
    """Write through a pipe that may be smaller, letting the worker run in between."""
    while data:
        data = data[producer.write(data) :]
        bench.run()
    producer.close()
    bench.run()


@pytest.mark.parametrize("nbytes", [0, 1, 4095, CHUNK, CHUNK + 1, 10 * CHUNK + 7])
def test_the_reply_holds_digest_size_and_entropy(bench: Bench, nbytes: int) -> None:
    data = np.random.default_rng(nbytes).bytes(nbytes)
    write_all(bench, bench.request(7, capacity=2 * CHUNK), data)
    (reply,) = bench.replies()
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    assert reply == {
        "job": 7,
        "nbytes": nbytes,
        "sha256": hashlib.sha256(data).hexdigest(),
        "entropy": pytest.approx(entropy(counts)),
    }


def test_no_reply_before_the_stream_has_ended(bench: Bench) -> None:
    with bench.request(1) as producer:
        producer.write(b"not all yet")
        bench.run()
        assert bench.replies() == []
    bench.run()
    assert [reply["job"] for reply in bench.replies()] == [1]


def test_streams_are_interleaved(bench: Bench) -> None:
    producers = [bench.request(job) for job in range(10)]
    for part in range(5):
        for job, producer in enumerate(producers):
            producer.write(b"%d" % job * (part + 1))
            bench.run()
    for producer in reversed(producers):
        producer.close()
        bench.run()
    replies = bench.replies()
    assert [reply["job"] for reply in replies] == list(range(9, -1, -1))
    for reply in replies:
        expected = hashlib.sha256(b"%d" % reply["job"] * 15).hexdigest()
        assert (reply["nbytes"], reply["sha256"]) == (15, expected)


def test_a_full_pipe_is_emptied_piece_by_piece(bench: Bench) -> None:
    producer = bench.request(1, capacity=4 * CHUNK)
    assert producer.write(bytes(5 * CHUNK)) == 4 * CHUNK
    bench.run()
    assert producer.write(bytes(5 * CHUNK)) == 4 * CHUNK  # all of it had been taken
    producer.close()
    bench.run()
    (reply,) = bench.replies()
    assert reply["nbytes"] == 8 * CHUNK


def test_the_worker_closes_everything_when_the_reader_is_gone(bench: Bench) -> None:
    producer = bench.request(1)
    producer.write(b"some")
    bench.run()
    bench.pipe.close()
    bench.run()
    assert producer.query_signals_state().peer_closed
    producer.close()


def test_nobody_waiting_for_the_reply_is_no_error(bench: Bench) -> None:
    producer = bench.request(1)
    bench.run()
    producer.close()  # the reply is due ...
    bench.pipe.close()  # ... and nobody is there to take it
    bench.run()


def test_workers_do_not_depend_on_who_holds_the_other_end(bench: Bench) -> None:
    assert isinstance(bench.pipe, MessagePipeHandle)
    near, far = create_message_pipe()
    with near, far:
        near.write(b"", [bench.pipe])
        with far.read() as message:
            (moved,) = message.take_handles()
        assert isinstance(moved, MessagePipeHandle)
        bench.pipe = moved
        bench.request(3).close()
        bench.run()
        assert [reply["job"] for reply in bench.replies()] == [3]


@pytest.mark.parametrize(
    ("counts", "bits"),
    [([], 0.0), ([5], 0.0), ([1, 1], 1.0), ([1] * 256, 8.0), ([3, 1], 0.8112781244591328)],
)
def test_entropy(counts: list[int], bits: float) -> None:
    histogram = np.zeros(256, np.int64)
    histogram[: len(counts)] = counts
    value = entropy(histogram)
    assert value == pytest.approx(bits)
    assert str(value) != "-0.0"
