"""What goes between processes takes memory as long as it is on its way, and no longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.idleness import memory
from puppets.pipes import flush, read_away, send_numbers, send_zeros, wait_for
from puppets.streams import consume, produce

from mojo_seq import DataPipe, MessagePipe, Signals, create_message_pipe

MessagePipes = Callable[[], MessagePipe]
MIB = 1 << 20


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


def growth(child: Puppet, use: Callable[[], object]) -> int:
    """How much more memory the child has after the fifth time than after the second."""
    for _ in range(2):
        use()
    before: int = child.call(memory)
    for _ in range(3):
        use()
    after: int = child.call(memory)
    return after - before


def test_small_messages_leave_nothing(child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    def use() -> None:
        child.begin(read_away, there, 20_000)
        send_numbers(pipe.handle0, 0, 20_000)
        child.finish()

    assert growth(child, use) < 2 * MIB


def test_large_messages_leave_nothing(child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    def use() -> None:
        for _ in range(20):
            pipe.handle0.write(bytes(5 * MIB))
        child.call(read_away, there, 20)

    assert growth(child, use) < 8 * MIB


def test_large_messages_of_a_child_leave_nothing(child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    def use() -> None:
        child.begin(send_zeros, there, 20, 5 * MIB)
        read_away(pipe.handle0, 20)
        child.finish()

    assert growth(child, use) < 8 * MIB


def test_pipes_leave_nothing(child: Puppet, pipe: MessagePipe) -> None:
    there = child.give(pipe.handle1)

    def use() -> None:
        child.begin(read_away, there, 1_000)
        for _ in range(1_000):
            a, b = create_message_pipe()
            with a:
                a.write(bytes(1_000))
                pipe.handle0.write(b"x", [b])
        child.finish()

    assert growth(child, use) < 2 * MIB


def test_what_was_spilled_is_freed(puppets: Callable[[], Puppet], pipe: MessagePipe) -> None:
    """A reader that does not read costs the writer memory, until it has read."""
    writer, reader = puppets(), puppets()
    source, sink = writer.give(pipe.handle0), reader.give(pipe.handle1)
    before = writer.call(memory)
    writer.call(send_zeros, source, 5_000, 20_000)
    assert writer.call(memory) - before > 50 * MIB  # or this test tests nothing
    reader.call(read_away, sink, 5_000)
    writer.call(flush, 10.0)
    assert writer.call(memory) - before < 10 * MIB


def test_what_was_spilled_for_a_dead_reader_is_freed(
    puppets: Callable[[], Puppet], pipe: MessagePipe
) -> None:
    """Nobody will ever read it."""
    writer, reader = puppets(), puppets()
    source = writer.give(pipe.handle0)
    reader.give(pipe.handle1)
    before = writer.call(memory)
    writer.call(send_zeros, source, 5_000, 20_000)
    reader.kill()
    writer.call(wait_for, source, Signals.PEER_CLOSED)
    writer.call(flush, 10.0)
    assert writer.call(memory) - before < 10 * MIB


def test_a_data_pipe_takes_its_capacity(child: Puppet, data_pipes: Callable[..., DataPipe]) -> None:
    """Public contract §4: however much flows through it, and however often its ends move."""
    producer, consumer = data_pipes(1_000_000)
    there = child.give(consumer)

    def use() -> None:
        nonlocal there
        child.begin(consume, there, 5_000_000)
        produce(producer, 5_000_000, seed=1)
        child.finish()
        there = child.give(child.take(there))

    assert growth(child, use) < 2 * MIB
