"""Two-phase I/O on a ring that two processes share (system rules §5.4)."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from puppets import Puppet
from puppets.pipes import wait_for
from puppets.streams import consume_windows, produce_windows, stream_of

from mojo_seq import (
    BusyError,
    DataPipe,
    OutOfRangeError,
    PeerClosedError,
    ShouldWaitError,
    Signals,
)

DataPipes = Callable[..., DataPipe]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED


@pytest.mark.parametrize("moved", ["producer", "consumer"])
@pytest.mark.parametrize(("capacity", "element_size"), [(37, 1), (4_095, 3), (65_536, 8)])
def test_a_stream_in_windows(
    child: Puppet, data_pipes: DataPipes, moved: str, capacity: int, element_size: int
) -> None:
    """System rules §5.4: windows of any size, committed and consumed in part."""
    producer, consumer = data_pipes(capacity, element_size)
    nbytes = 24_000 if capacity < 100 else 960_000
    if moved == "consumer":
        child.begin(consume_windows, child.give(consumer))
        produce_windows(producer, nbytes, seed=1)
        producer.close()
        assert child.finish() == stream_of(nbytes, seed=1)
    else:
        there = child.give(producer)
        child.begin(produce_windows, there, nbytes, seed=2)
        received = consume_windows(consumer, nbytes)
        child.finish()
        assert received == stream_of(nbytes, seed=2)


def test_windows_are_contiguous_across_the_end(child: Puppet, data_pipes: DataPipes) -> None:
    """Public contract §4: all free space, or all readable bytes, on both sides of the boundary."""
    producer, consumer = data_pipes(10)
    there = child.give(consumer)
    producer.write(b"0123456")
    assert there.read(6) == b"012345"
    wait_for(producer, W)
    with producer.begin_write() as window:
        assert window.nbytes == 9
        memoryview(window)[:] = b"abcdefghi"
        window.commit(9)
    window = there.begin_read()
    assert child.call(bytes, window) == b"6abcdefghi"
    window.consume(10)


def test_an_open_write_shows_nothing_to_the_other_side(
    child: Puppet, data_pipes: DataPipes
) -> None:
    """System rules §5.4: only what was committed is there, and only when it was."""
    producer, consumer = data_pipes()
    there = child.give(consumer)
    with producer.begin_write() as window:
        memoryview(window)[:3] = b"abc"
        assert there.query() == 0
        window.commit(2)
    assert there.read() == b"ab"


def test_an_open_read_frees_no_room_at_the_other_side(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.4: until it is consumed; arrivals do not disturb the window."""
    producer, consumer = data_pipes(4)
    there = child.give(consumer)
    producer.write(b"abc")
    window = there.begin_read()
    assert producer.write(b"def") == 1
    with pytest.raises(ShouldWaitError):
        producer.write(b"e")
    assert child.call(bytes, window) == b"abc"
    window.consume(2)
    wait_for(producer, W)
    assert producer.write(b"efg") == 2
    assert there.read() == b"cdef"


def test_the_other_side_is_not_busy(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.4: BUSY is for the end's own operations."""
    producer, consumer = data_pipes()
    there = child.give(consumer)
    producer.write(b"abc")
    with producer.begin_write() as window:
        with pytest.raises(BusyError):
            producer.write(b"x")
        read_window = there.begin_read()
        with pytest.raises(BusyError):
            there.query()
        read_window.consume(3)
        window.commit(0)


def test_a_minimum_that_may_still_come(child: Puppet, data_pipes: DataPipes) -> None:
    """Public contract §4: OUT_OF_RANGE, and once the peer is closed FAILED_PRECONDITION."""
    producer, consumer = data_pipes()
    there = child.give(producer)
    there.write(b"abc")
    wait_for(consumer, R)
    with pytest.raises(OutOfRangeError):
        consumer.begin_read(4)
    there.close()
    wait_for(consumer, PC)
    with pytest.raises(PeerClosedError):
        consumer.begin_read(4)
    with consumer.begin_read(3) as window:
        assert bytes(window) == b"abc"


def test_the_peers_death_does_not_disturb_an_open_read(
    puppets: Callable[[], Puppet], data_pipes: DataPipes
) -> None:
    """System rules §5.4: the rest can be read afterwards."""
    child = puppets()
    producer, consumer = data_pipes(100)
    there = child.give(producer)
    there.write(b"abcdef")
    wait_for(consumer, R)
    with consumer.begin_read() as window:
        child.kill()
        wait_for(consumer, PC)
        assert bytes(window) == b"abcdef"
        window.consume(3)
    assert consumer.read() == b"def"


def test_a_view_outlives_the_other_process(
    puppets: Callable[[], Puppet], data_pipes: DataPipes
) -> None:
    """Public contract §4: memory under a live view is never unmapped."""
    child = puppets()
    producer, consumer = data_pipes(800_000, 8)
    there = child.give(producer)
    child.call(produce_windows, there, 800_000, seed=5)
    wait_for(consumer, R)
    window = consumer.begin_read()
    array = window.as_array(np.uint64)
    child.kill()
    wait_for(consumer, PC)
    with pytest.raises(BufferError):
        consumer.close()
    expected = np.frombuffer(random.Random(5).randbytes(800_000), np.uint64)
    assert np.array_equal(array, expected)
    del array, window
