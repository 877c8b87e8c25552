"""Handles in messages: every kind travels, with all its state (system rules §4.5, §5.6)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from mojo_seq import (
    BusyError,
    DataPipe,
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    InvalidArgumentError,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    PlatformHandle,
    SharedBufferHandle,
    Signals,
    create_shared_buffer,
    wrap_fd,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
R, ND, PC = Signals.READABLE, Signals.NEW_DATA_READABLE, Signals.PEER_CLOSED


@pytest.fixture
def send(pipe: MessagePipe, closing: list[Handle]) -> Callable[[Handle], Handle]:
    """Sends a handle over a pipe and gives what arrives."""

    def over_the_pipe(handle: Handle) -> Handle:
        pipe.handle0.write(b"", [handle])
        with pipe.handle1.read() as message:
            (received,) = message.take_handles()
        closing.append(received)
        return received

    return over_the_pipe


Send = Callable[[Handle], Handle]


# ---- each kind


def test_message_pipe_travels(message_pipes: MessagePipes, send: Send) -> None:
    """System rules §4.5."""
    a, b = message_pipes()
    received = send(b)
    assert isinstance(received, MessagePipeHandle)
    a.write(b"x")
    assert bytes(received.read()) == b"x"


def test_producer_travels(data_pipes: DataPipes, send: Send) -> None:
    """System rules §5.6: with its capacity and element size."""
    producer, consumer = data_pipes(12, 3)
    received = send(producer)
    assert isinstance(received, DataPipeProducerHandle)
    assert (received.capacity, received.element_size) == (12, 3)
    received.write(b"abc")
    assert consumer.read() == b"abc"


def test_consumer_travels(data_pipes: DataPipes, send: Send) -> None:
    """System rules §5.6: with what is in the ring, across the wrap."""
    producer, consumer = data_pipes(6, 2)
    producer.write(b"abcdef")
    consumer.read(4)
    producer.write(b"ghij")
    received = send(consumer)
    assert isinstance(received, DataPipeConsumerHandle)
    assert (received.capacity, received.element_size) == (6, 2)
    assert received.read() == b"efghij"


def test_shared_buffer_travels(send: Send) -> None:
    """System rules §6."""
    buffer = create_shared_buffer(8)
    with buffer.map() as mapping:
        memoryview(mapping)[:3] = b"abc"
    received = send(buffer)
    assert isinstance(received, SharedBufferHandle)
    assert (received.nbytes, received.read_only) == (8, False)
    with received.map() as mapping:
        assert bytes(mapping) == b"abc" + bytes(5)


def test_read_only_shared_buffer_stays_read_only(send: Send) -> None:
    """System rules §6: the flag travels."""
    with create_shared_buffer(8) as buffer:
        received = send(buffer.duplicate(read_only=True))
    assert isinstance(received, SharedBufferHandle)
    assert received.read_only
    with received.map() as mapping:
        assert memoryview(mapping).readonly


def test_platform_handle_travels(send: Send) -> None:
    """System rules §7: the descriptor of the same open file."""
    read_fd, write_fd = os.pipe()
    received = send(wrap_fd(read_fd))
    assert isinstance(received, PlatformHandle)
    os.write(write_fd, b"x")
    os.close(write_fd)
    with os.fdopen(received.unwrap(), "rb") as file:
        assert file.read() == b"x"


# ---- the handle that was sent


def test_sent_handle_is_dead(message_pipes: MessagePipes, send: Send) -> None:
    """System rules §4.5: the sent value is dead afterwards."""
    _, b = message_pipes()
    value = b.value
    received = send(b)
    assert not b.is_valid
    assert b.value == 0
    assert received is not b
    assert received.value != 0
    assert value != 0
    with pytest.raises(InvalidArgumentError):
        b.query_signals_state()


def test_closing_a_sent_handle_does_nothing(message_pipes: MessagePipes, send: Send) -> None:
    """Public contract §2: close is idempotent, and what was sent lives on."""
    a, b = message_pipes()
    received = send(b)
    b.close()
    assert received.is_valid
    assert not a.query_signals_state().peer_closed


# ---- message pipes take their queue along


def test_queued_messages_travel_ahead_of_newer_ones(
    message_pipes: MessagePipes, send: Send
) -> None:
    """System rules §4.5: 1001 queued messages, others written before and after the transfer."""
    a, b = message_pipes()
    payloads = [str(i).encode() for i in range(1001)]
    a.write_batch(payloads[:600])
    received = send(b)
    a.write_batch(payloads[600:])
    assert isinstance(received, MessagePipeHandle)
    assert [bytes(m) for m in received.read_batch(2000)] == payloads


def test_messages_written_while_in_transit_arrive(message_pipes: MessagePipes) -> None:
    """System rules §4.5."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    c.write(b"", [b])
    a.write(b"to an end in transit")
    with d.read() as message:
        (received,) = message.handles
        assert isinstance(received, MessagePipeHandle)
        assert bytes(received.read()) == b"to an end in transit"


def test_end_whose_peer_is_closed_travels(message_pipes: MessagePipes, send: Send) -> None:
    """System rules §4.5: queued messages, then closure."""
    a, b = message_pipes()
    a.write(b"last words")
    a.close()
    received = send(b)
    assert isinstance(received, MessagePipeHandle)
    assert received.query_signals_state().satisfied == R | PC
    assert bytes(received.read()) == b"last words"
    with pytest.raises(PeerClosedError):
        received.read()


def test_peer_closed_in_transit_is_noticed(message_pipes: MessagePipes) -> None:
    """System rules §4.5: by the signals, by reading and by writing."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    c.write(b"", [b])
    a.close()
    with d.read() as message:
        (received,) = message.handles
        assert isinstance(received, MessagePipeHandle)
        assert received.query_signals_state().satisfied == PC
        with pytest.raises(PeerClosedError):
            received.read()
        with pytest.raises(PeerClosedError):
            received.write(b"x")


def test_both_ends_travel_in_one_message(message_pipes: MessagePipes) -> None:
    """System rules §4.5: a whole pipe, in use on arrival."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write(b"x")
    c.write(b"", [b, a])
    with d.read() as message:
        reader, writer = message.handles
        assert isinstance(reader, MessagePipeHandle)
        assert isinstance(writer, MessagePipeHandle)
        writer.write(b"y")
        assert [bytes(m) for m in reader.read_batch()] == [b"x", b"y"]


# ---- data pipes take their state along


def test_received_consumer_starts_with_new_data(data_pipes: DataPipes, send: Send) -> None:
    """System rules §5.6: even if the sender had already looked."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    consumer.query()
    assert consumer.query_signals_state().satisfied == R
    assert send(consumer).query_signals_state().satisfied == R | ND


def test_received_empty_consumer_has_no_new_data(data_pipes: DataPipes, send: Send) -> None:
    """System rules §5.6."""
    _, consumer = data_pipes()
    assert send(consumer).query_signals_state().satisfied == Signals.NONE


def test_consumer_whose_producer_is_closed_travels(data_pipes: DataPipes, send: Send) -> None:
    """System rules §5.6: arrives with PEER_CLOSED and the data."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    producer.close()
    received = send(consumer)
    assert isinstance(received, DataPipeConsumerHandle)
    assert received.query_signals_state().satisfied == R | ND | PC
    assert received.read() == b"ab"


def test_full_producer_travels(data_pipes: DataPipes, send: Send) -> None:
    """System rules §5.6: it is still full, and room made meanwhile is seen."""
    producer, consumer = data_pipes(4)
    producer.write(b"abcd")
    received = send(producer)
    assert received.query_signals_state().satisfied == Signals.NONE
    consumer.read(1)
    assert received.query_signals_state().satisfied == Signals.WRITABLE


# ---- handles used in place, in a received message


def test_handles_used_in_place_travel_on(message_pipes: MessagePipes) -> None:
    """Public contract §3: owned by the message, so they go where it goes."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    a.write(b"", [f])
    first = b.read()
    (handle,) = first.handles
    assert isinstance(handle, MessagePipeHandle)
    handle.write(b"from in between")
    c.write_message(first)
    assert not handle.is_valid
    with d.read() as second:
        (arrived,) = second.handles
        assert isinstance(arrived, MessagePipeHandle)
        arrived.write(b"from the end")
        assert [bytes(m) for m in e.read_batch()] == [b"from in between", b"from the end"]


def test_handle_in_place_in_two_phase_keeps_the_message_here(
    message_pipes: MessagePipes, data_pipes: DataPipes
) -> None:
    """System rules §5.4: BUSY, and the message stays with the caller."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    producer, consumer = data_pipes()
    a.write(b"", [producer])
    with b.read() as message:
        (handle,) = message.handles
        assert isinstance(handle, DataPipeProducerHandle)
        with handle.begin_write() as window:
            with pytest.raises(BusyError):
                c.write_message(message)
            memoryview(window)[:1] = b"x"
            window.commit(1)
        assert consumer.read() == b"x"
        c.write_message(message)
    assert d.query_signals_state().readable


def test_handle_in_place_can_be_sent_by_itself(message_pipes: MessagePipes) -> None:
    """Public contract §3: usable in place means sending, too; the message's end spares it."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    a.write(b"", [f])
    with b.read() as first:
        c.write(b"", [first.handles[0]])
    with d.read() as second:
        (arrived,) = second.handles
        assert isinstance(arrived, MessagePipeHandle)
        e.write(b"x")
        assert bytes(arrived.read()) == b"x"
