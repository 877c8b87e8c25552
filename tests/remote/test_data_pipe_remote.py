"""Data pipes between two processes: bytes, elements, order, ends (system rules §5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.pipes import wait_for
from puppets.streams import consume, produce, stream_of

from mojo_seq import (
    DataPipe,
    InvalidArgumentError,
    OutOfRangeError,
    PeerClosedError,
    ShouldWaitError,
    Signals,
)

DataPipes = Callable[..., DataPipe]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED


def test_bytes_go_to_a_child(child: Puppet, data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes()
    there = child.give(consumer)
    assert producer.write(b"abc") == 3
    assert there.read() == b"abc"
    with pytest.raises(ShouldWaitError):
        there.read()


def test_bytes_come_from_a_child(child: Puppet, data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes()
    there = child.give(producer)
    assert there.write(b"abc") == 3
    assert consumer.read() == b"abc"
    with pytest.raises(ShouldWaitError):
        consumer.read()


@pytest.mark.parametrize("moved", ["producer", "consumer"])
@pytest.mark.parametrize(
    ("capacity", "element_size"), [(1, 1), (37, 1), (4_096, 1), (65_536, 1), (999, 3), (640, 64)]
)
def test_a_stream_wraps_round_the_ring(
    child: Puppet, data_pipes: DataPipes, moved: str, capacity: int, element_size: int
) -> None:
    """System rules §5: every byte, in order, through rings of any size."""
    producer, consumer = data_pipes(capacity, element_size)
    elements = 200_000 if capacity > 1_000 else 3_000
    nbytes = elements * element_size
    if moved == "consumer":
        child.begin(consume, child.give(consumer))
        produce(producer, nbytes, seed=1)
        producer.close()
        assert child.finish() == stream_of(nbytes, seed=1)
    else:
        child.begin(produce, child.give(producer), nbytes, seed=2)
        received = consume(consumer, nbytes)
        child.finish()
        assert received == stream_of(nbytes, seed=2)


def test_a_stream_between_two_children(
    puppets: Callable[[], Puppet], data_pipes: DataPipes
) -> None:
    """System rules §13.8."""
    first, second = puppets(), puppets()
    producer, consumer = data_pipes(1_000)
    source, sink = first.give(producer), second.give(consumer)
    second.begin(consume, sink)
    first.call(produce, source, 1_000_000, seed=3)
    source.close()
    assert second.finish() == stream_of(1_000_000, seed=3)


# ---- what the two sides know of each other


def test_a_full_pipe_should_wait(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.2: until the reader has made room."""
    producer, consumer = data_pipes(4)
    there = child.give(consumer)
    assert producer.write(b"abcdef") == 4
    with pytest.raises(ShouldWaitError):
        producer.write(b"ef")
    assert there.read(3) == b"abc"
    wait_for(producer, W)
    assert producer.write(b"efgh") == 3
    assert there.read() == b"defg"


def test_all_or_none(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.2, §5.3: OUT_OF_RANGE if it does not fit now, on either side."""
    producer, consumer = data_pipes(4)
    there = child.give(consumer)
    with pytest.raises(OutOfRangeError):
        there.read(1, all_or_none=True)
    producer.write(b"abc")
    with pytest.raises(OutOfRangeError):
        producer.write(b"de", all_or_none=True)
    with pytest.raises(OutOfRangeError):
        there.read(4, all_or_none=True)
    assert there.read(3, all_or_none=True) == b"abc"
    wait_for(producer, W)
    assert producer.write(b"defg", all_or_none=True) == 4


def test_peek_discard_and_query(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.3: peeking frees no room at the other side."""
    producer, consumer = data_pipes(4)
    there = child.give(consumer)
    producer.write(b"abcd")
    assert there.query() == 4
    assert there.read(2, peek=True) == b"ab"
    with pytest.raises(ShouldWaitError):
        producer.write(b"x")
    assert there.discard(3) == 3
    wait_for(producer, W)
    assert producer.write(b"xyz") == 3
    assert there.query() == 4
    assert there.read() == b"dxyz"


def test_elements_are_whole(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5: amounts are multiples of the element on both sides."""
    producer, consumer = data_pipes(12, 4)
    there = child.give(consumer)
    assert (there.get("capacity"), there.get("element_size")) == (12, 4)
    with pytest.raises(InvalidArgumentError):
        producer.write(b"abc")
    producer.write(b"abcdefgh")
    with pytest.raises(InvalidArgumentError):
        there.read(6)
    assert there.read(4) == b"abcd"


# ---- the end


def test_all_is_read_before_the_end_is_seen(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.5: the consumer keeps all bytes written before closure."""
    producer, consumer = data_pipes(100)
    there = child.give(consumer)
    producer.write(b"last words")
    producer.close()
    state = child.call(wait_for, there, PC)
    assert state.readable
    assert there.query() == 10
    assert there.read(4) == b"last"
    with pytest.raises(PeerClosedError):
        there.read(7, all_or_none=True)
    assert there.read() == b" words"
    with pytest.raises(PeerClosedError):
        there.read()


def test_a_producer_learns_that_its_consumer_is_gone(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.5: whatever is in the ring."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    there = child.give(consumer)
    producer.write(b"def")
    there.close()
    wait_for(producer, PC)
    with pytest.raises(PeerClosedError):
        producer.write(b"x")
    with pytest.raises(PeerClosedError):
        producer.write(b"")
    with pytest.raises(PeerClosedError):
        producer.begin_write()


@pytest.mark.parametrize("killed", ["producer", "consumer"])
def test_a_peer_that_is_killed_is_a_closed_peer(
    puppets: Callable[[], Puppet], data_pipes: DataPipes, killed: str
) -> None:
    """System rules §13.6; what it had written can be read."""
    child = puppets()
    producer, consumer = data_pipes(100)
    if killed == "consumer":
        child.give(consumer)
        child.kill()
        wait_for(producer, PC)
    else:
        there = child.give(producer)
        assert there.write(b"last words") == 10
        child.kill()
        assert wait_for(consumer, PC).readable
        assert consumer.read() == b"last words"
        with pytest.raises(PeerClosedError):
            consumer.read()
