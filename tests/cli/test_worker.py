"""mojo_seq.cli.worker, by its protocol alone: the test is the reader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest

from mojo_seq import (
    DataPipeProducerHandle,
    MessagePipeHandle,
    RunLoop,
    create_data_pipe,
    create_message_pipe,
)
from mojo_seq.cli.records import from_message, to_message
from mojo_seq.cli.worker import LARGE, Figures, Part, Worker, count_bytes, entropy

CAPACITY = 10_000


class Bench:
    """A worker on a run loop that runs only when the test says so."""

    def __init__(self) -> None:
        self.pipe: MessagePipeHandle
        self.pipe, far = create_message_pipe()
        self.stream: DataPipeProducerHandle
        self.stream, consumer = create_data_pipe(CAPACITY)
        self.workers: list[Worker] = []
        self._loop = RunLoop()
        self._loop.task_runner.post_task(lambda: self.workers.append(Worker(far)))
        self.pipe.write(b"", [consumer])
        self.run()

    def run(self) -> None:
        self._loop.run_until_idle()

    def request(self, data: bytes, parts: list[Part], *, serialized: bool = False) -> None:
        assert self.stream.write(data, all_or_none=True) == len(data)
        message = to_message(parts)
        if serialized:
            message.serialize()
        self.pipe.write_message(message)
        self.run()

    def replies(self) -> list[list[Figures]]:
        return [from_message(message) for message in self.pipe.read_batch()]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.pipe.close()
    bench.stream.close()
    bench.run()


def figures(data: bytes) -> Figures:
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    return len(data), hashlib.sha256(data).hexdigest(), entropy(counts)


@pytest.mark.parametrize("nbytes", [0, 1, 4095, CAPACITY])
def test_a_file_in_one_part(bench: Bench, nbytes: int) -> None:
    data = np.random.default_rng(nbytes).bytes(nbytes)
    bench.request(data, [(nbytes, True)])
    assert bench.replies() == [[figures(data)]]


def test_a_file_in_many_requests(bench: Bench) -> None:
    data = np.random.default_rng(1).bytes(10 * 7001)
    for start in range(0, len(data), 7001):
        bench.request(data[start : start + 7001], [(7001, False)])
    assert bench.replies() == [[]] * 10
    bench.request(b"", [(0, True)])  # only now it is known that this was the end
    assert bench.replies() == [[figures(data)]]


def test_many_files_in_one_request(bench: Bench) -> None:
    files = [b"", b"a", b"bb", b"", b"c" * 5000]
    bench.request(b"".join(files) + b"next", [*((len(f), True) for f in files), (4, False)])
    bench.request(b" file", [(5, True), (0, True)])
    assert bench.replies() == [list(map(figures, files)), [figures(b"next file"), figures(b"")]]


def test_bytes_of_later_requests_are_left_in_the_pipe(bench: Bench) -> None:
    bench.stream.write(b"onetwo")
    bench.pipe.write_message(to_message([(3, True)]))
    bench.run()
    assert bench.replies() == [[figures(b"one")]]
    bench.request(b"", [(3, True)])
    assert bench.replies() == [[figures(b"two")]]


def test_requests_can_come_as_bytes(bench: Bench) -> None:
    bench.request(b"data", [(4, True)], serialized=True)
    assert bench.replies() == [[figures(b"data")]]


def test_the_worker_closes_everything_when_the_reader_is_gone(bench: Bench) -> None:
    bench.request(b"half a file", [(4, False)])
    bench.pipe.close()
    bench.run()
    assert bench.stream.query_signals_state().peer_closed


def test_nobody_waiting_for_the_reply_is_no_error(bench: Bench) -> None:
    bench.stream.write(b"data")
    bench.pipe.write_message(to_message([(4, True)]))
    bench.pipe.close()
    bench.run()
    assert bench.stream.query_signals_state().peer_closed


def test_it_does_not_matter_who_holds_the_other_end(bench: Bench) -> None:
    near, far = create_message_pipe()
    with near, far:
        near.write(b"", [bench.pipe])
        with far.read() as message:
            (moved,) = message.take_handles()
    assert isinstance(moved, MessagePipeHandle)
    bench.pipe = moved
    bench.request(b"x", [(1, True)])
    assert bench.replies() == [[figures(b"x")]]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("nbytes", [0, 1, LARGE - 1, LARGE, LARGE + 1])
def test_count_bytes(nbytes: int, start: int) -> None:
    random = np.random.default_rng(nbytes)
    data = random.binomial(255, 0.1, nbytes + start).astype(np.uint8)[start:]
    counts = count_bytes(data)
    assert counts.shape == (256,)
    assert (counts == np.bincount(data, minlength=256)).all()


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
