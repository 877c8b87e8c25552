"""Handles in messages that nobody receives are closed, on both sides (system rules §13.7)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.nests import close_all, nest
from puppets.pipes import next_message, receive_handle, wait_for

from mojo_seq import (
    DataPipe,
    Handle,
    MessagePipe,
    PeerClosedError,
    Signals,
    create_message_pipe,
    wrap_fd,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
Puppets = Callable[[], Puppet]
PC = Signals.PEER_CLOSED


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


@pytest.fixture
def file() -> tuple[int, Handle]:
    """A descriptor at which the end of file shows that nobody has the handle any more."""
    readable, writable = os.pipe()
    return readable, wrap_fd(writable)


def assert_end_of_file(fd: int) -> None:
    with os.fdopen(fd, "rb") as file:
        assert file.read() == b""


def test_closing_the_end_that_did_not_read(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes, file: tuple[int, Handle]
) -> None:
    """System rules §4.5: closing the carrier with the message unread closes what it carries."""
    a, b = message_pipes()
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"", [b, file[1]])
    there.close()
    wait_for(a, PC)
    assert_end_of_file(file[0])


def test_closing_both_ends_with_much_unread(
    child: Puppet, pipe: MessagePipe, closing: list[Handle]
) -> None:
    """System rules §13.7: in the socket, and in the queue behind it."""
    there = child.give(pipe.handle1)
    kept = []
    for _ in range(500):
        a, b = create_message_pipe()
        pipe.handle0.write(bytes(10_000), [b])
        kept.append(a)
    closing += kept
    there.close()
    for a in kept:
        wait_for(a, PC)


def test_the_reader_dies(puppets: Puppets, pipe: MessagePipe, closing: list[Handle]) -> None:
    """System rules §13.7, §13.6: without having read any of it."""
    child = puppets()
    child.give(pipe.handle1)
    kept = []
    for _ in range(500):
        a, b = create_message_pipe()
        pipe.handle0.write(bytes(10_000), [b])
        kept.append(a)
    closing += kept
    child.kill()
    for a in kept:
        wait_for(a, PC)


def test_a_received_message_is_dropped(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes, file: tuple[int, Handle]
) -> None:
    """Public contract §3: handles never taken are closed with the message."""
    a, b = message_pipes()
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"", [b, file[1]])
    message = child.call(next_message, there)
    assert not a.query_signals_state().peer_closed
    message.close()
    wait_for(a, PC)
    assert_end_of_file(file[0])


def test_a_carrier_is_dropped_with_what_it_carries(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes
) -> None:
    """System rules §2: closed recursively, a hundred deep."""
    bottom, inner = message_pipes()
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"", [nest(inner, 100)])
    child.call(receive_handle, there).close()
    wait_for(bottom, PC)


def test_data_pipes_are_dropped(child: Puppet, pipe: MessagePipe, data_pipes: DataPipes) -> None:
    """System rules §5.5: each end learns of the other's."""
    (producer, consumer), (other_producer, other_consumer) = data_pipes(), data_pipes()
    other_producer.write(b"kept")
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"", [producer, other_consumer])
    there.close()
    wait_for(consumer, PC)
    wait_for(other_producer, PC)


def test_what_was_sent_to_a_closed_end_is_closed(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes, file: tuple[int, Handle]
) -> None:
    """System rules §4.2: a write is no promise of delivery; what it took is closed, either way."""
    a, b = message_pipes()
    there = child.give(pipe.handle1)
    child.begin(close_all, [there])
    try:
        pipe.handle0.write(b"", [b, file[1]])
    except PeerClosedError:
        b.close()
        file[1].close()
    child.finish()
    wait_for(a, PC)
    assert_end_of_file(file[0])
