"""Ends of data pipes that move, with what is in the ring (system rules §5.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.moves import exchange
from puppets.pipes import receive_handle, wait_for
from puppets.streams import consume, produce, read_all, stream_of

from mojo_seq import DataPipe, MessagePipe, PeerClosedError, ShouldWaitError, Signals

DataPipes = Callable[..., DataPipe]
MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED


def test_the_ring_moves_with_its_contents(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6: ring, offset, amounts, element size and capacity."""
    producer, consumer = data_pipes(6, 2)
    producer.write(b"abcdef")
    consumer.read(4)
    producer.write(b"ghij")
    there = child.give(consumer)
    assert (there.get("capacity"), there.get("element_size")) == (6, 2)
    assert there.read() == b"efghij"


def test_both_ends_of_a_small_ring_swap_processes(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6: each end goes there and home, with 37 bytes between them."""
    producer, consumer = data_pipes(37)
    for turn in range(10):
        text = f"round {turn}, to be read elsewhere".encode()
        assert producer.write(text) == len(text)
        there = child.give(consumer)
        assert there.read() == text
        consumer = child.take(there)
        there = child.give(producer)
        assert there.write(text[::-1]) == len(text)
        assert consumer.read() == text[::-1]
        producer = child.take(there)
    producer.close()
    assert wait_for(consumer, PC)
    consumer.close()


def test_ends_are_exchanged_between_two_children(
    puppets: Puppets, data_pipes: DataPipes, message_pipes: MessagePipes
) -> None:
    """System rules §13.3, for data pipes: at the same time, twenty times."""
    b, c = puppets(), puppets()
    (producer, consumer), (left, right) = data_pipes(37), message_pipes()
    carriers = {b: b.give(left), c: c.give(right)}
    ends = {b: b.give(producer), c: c.give(consumer)}
    writer, reader = b, c
    for turn in range(20):
        text = f"round {turn}".encode()
        assert ends[writer].write(text) == len(text)
        b.begin(exchange, carriers[b], ends[b])
        c.begin(exchange, carriers[c], ends[c])
        ends = {b: b.finish(), c: c.finish()}
        writer, reader = reader, writer
        assert reader.call(read_all, ends[reader], len(text)) == text


def test_a_producer_is_handed_on_in_the_middle_of_a_stream(
    puppets: Puppets, data_pipes: DataPipes
) -> None:
    """System rules §5.6: three processes write a part each; the reader sees one stream."""
    reader, second, third = puppets(), puppets(), puppets()
    producer, consumer = data_pipes(1_000)
    sink = reader.give(consumer)
    for part, writer in enumerate((second, third, second)):
        reader.begin(consume, sink, 100_000)
        there = writer.give(producer)
        writer.call(produce, there, 100_000, seed=part)
        assert reader.finish() == stream_of(100_000, seed=part)
        producer = writer.take(there)
    producer.close()
    assert reader.call(wait_for, sink, PC)


def test_a_consumer_is_handed_on_in_the_middle_of_a_stream(
    puppets: Puppets, data_pipes: DataPipes
) -> None:
    """System rules §5.6: while the writer goes on writing."""
    writer, second, third = puppets(), puppets(), puppets()
    producer, consumer = data_pipes(1_000)
    source = writer.give(producer)
    writer.begin(produce, source, 300_000, seed=9)
    data = b""
    for reader in (second, third, second):
        there = reader.give(consumer)
        data += reader.call(read_all, there, 100_000)
        consumer = reader.take(there)
    writer.finish()
    consumer.close()
    assert (len(data), hashlib.sha256(data).hexdigest()) == stream_of(300_000, seed=9)


def test_a_whole_pipe_moves(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6: both ends to the same process, used there, and home again."""
    producer, consumer = data_pipes(10)
    producer.write(b"abc")
    source, sink = child.give(producer), child.give(consumer)
    assert source.write(b"defghijkl") == 7
    assert child.call(read_all, sink, 5) == b"abcde"
    with child.take(source) as back, child.take(sink) as other:
        wait_for(back, W)
        assert back.write(b"xyz") == 3
        assert read_all(other, 8) == b"fghijxyz"
        with pytest.raises(ShouldWaitError):
            other.read()


def test_an_end_in_transit_is_written_to(
    child: Puppet, data_pipes: DataPipes, message_pipes: MessagePipes
) -> None:
    """System rules §5.6: what comes while nobody has the consumer is there on arrival."""
    (producer, consumer), (a, b) = data_pipes(), message_pipes()
    there = child.give(b)
    a.write(b"", [consumer])
    producer.write(b"abc")
    producer.close()
    arrived = child.call(receive_handle, there)
    assert child.call(read_all, arrived, 3) == b"abc"
    with pytest.raises(PeerClosedError):
        arrived.read()


def test_many_data_pipes(child: Puppet, data_pipes: DataPipes) -> None:
    """Public contract §10: two hundred, each with something in it."""
    pipes = [data_pipes() for _ in range(200)]
    for number, (producer, _) in enumerate(pipes):
        producer.write(number.to_bytes(4))
    sinks = [child.give(consumer) for _, consumer in pipes]
    for number, ((producer, _), sink) in enumerate(zip(pipes, sinks, strict=True)):
        producer.write(b"more")
        assert sink.read() == number.to_bytes(4) + b"more"
