"""Who waits for other processes uses no processor, whatever lies unread (no busy loops)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.idleness import processor_time, watch
from puppets.pipes import wait_for

from mojo_seq import DataPipe, Handle, MessagePipe, Signals

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
R, W, PC, ND = (
    Signals.READABLE,
    Signals.WRITABLE,
    Signals.PEER_CLOSED,
    Signals.NEW_DATA_READABLE,
)
SECONDS = 0.4
LITTLE = 0.1  # a busy thread would use all of it


def assert_idle(child: Puppet) -> None:
    assert child.call(processor_time, SECONDS) < LITTLE


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


def test_many_quiet_pipes_are_watched(child: Puppet, message_pipes: MessagePipes) -> None:
    far = [child.give(message_pipes().handle1) for _ in range(100)]
    watching = child.call(watch, far, R)
    assert_idle(child)
    assert watching.count() == (0, 0)


def test_unread_messages_where_closing_is_watched(child: Puppet, pipe: MessagePipe) -> None:
    """The socket stays readable all the time, but nobody is interested in that."""
    there = child.give(pipe.handle1)
    watching = child.call(watch, [there], PC)
    pipe.handle0.write(b"unread")
    child.call(wait_for, there, R)
    assert_idle(child)
    assert watching.count() == (0, 0)
    pipe.handle0.close()
    child.call(wait_for, there, PC)


def test_unread_messages_after_they_were_notified(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §9.3: told once, and not asked for again."""
    there = child.give(pipe.handle1)
    watching = child.call(watch, [there], R)
    pipe.handle0.write(b"unread")
    child.call(wait_for, there, R)
    assert_idle(child)
    assert watching.count() == (0, 1)
    pipe.handle0.write(b"unread, too")
    assert_idle(child)
    assert watching.count() == (0, 1)


def test_a_closed_peer_that_is_watched_on(child: Puppet, pipe: MessagePipe) -> None:
    """A hang-up is an event for ever."""
    there = child.give(pipe.handle1)
    watching = child.call(watch, [there], R)
    pipe.handle0.close()
    child.call(wait_for, there, PC)
    assert_idle(child)
    assert watching.count() == (0, 1)


def test_a_closed_peer_and_unread_messages(child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"unread")
    pipe.handle0.close()
    child.call(wait_for, there, PC)
    watching = child.call(watch, [there], Signals.PEER_REMOTE)
    assert watching.count() == (1, 0)  # it can never be
    assert_idle(child)


def test_much_to_send_and_nobody_who_reads(
    puppets: Callable[[], Puppet], pipe: MessagePipe
) -> None:
    """The queue waits for room in the socket, asleep."""
    writer, reader = puppets(), puppets()
    there = writer.give(pipe.handle0)
    reader.give(pipe.handle1)
    os.kill(reader.pid, signal.SIGSTOP)
    try:
        there.write_batch([bytes(10_000)] * 500)
        assert_idle(writer)
    finally:
        os.kill(reader.pid, signal.SIGCONT)
        there.close()


def test_handles_to_send_and_nobody_who_reads(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes
) -> None:
    far: list[Handle] = [child.give(message_pipes().handle1) for _ in range(20)]
    there = child.give(pipe.handle0)
    there.write_batch([bytes(10_000)] * 100)
    there.write(b"", far)
    assert_idle(child)
    pipe.handle1.close()


def test_data_pipes_that_are_watched(child: Puppet, data_pipes: DataPipes) -> None:
    """Full ones, empty ones, ones with unread bytes; the doorbell has rung for some."""
    ends = []
    for written in (0, 3, 8):
        producer, consumer = data_pipes(8)
        producer.write(bytes(written))
        ends.append(child.give(consumer))
        producer, consumer = data_pipes(8)
        producer.write(bytes(written))
        ends.append(child.give(producer))
    watching = child.call(watch, ends, PC)
    assert_idle(child)
    assert watching.count() == (0, 0)


def test_bytes_that_are_not_read(child: Puppet, data_pipes: DataPipes) -> None:
    """Bells that are rung while nobody listens, and while somebody listens for something else."""
    producer, consumer = data_pipes(100)
    there = child.give(consumer)
    watching = child.call(watch, [there], ND)
    for _ in range(10):
        producer.write(b"x")
    child.call(wait_for, there, R)
    assert_idle(child)
    assert watching.count() == (0, 1)
    closing = child.call(watch, [there], PC)
    producer.write(b"x")
    assert_idle(child)
    assert closing.count() == (0, 0)


def test_a_producer_whose_consumer_reads_on(child: Puppet, data_pipes: DataPipes) -> None:
    """It is writable again, and does not want to be."""
    producer, consumer = data_pipes(10)
    there = child.give(producer)
    there.write(bytes(10))
    watching = child.call(watch, [there], W)
    consumer.read(5)
    child.call(wait_for, there, W)
    assert_idle(child)
    assert watching.count() == (0, 1)
    consumer.read(5)
    assert_idle(child)
    assert watching.count() == (0, 1)
