"""A reader that is stopped: the writer never blocks, nothing is lost (SIGSTOP, SIGCONT)."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from puppets import Puppet
from puppets.nests import close_all, receive_from_each
from puppets.pipes import receive_digests, receive_handles, receive_many, wait_for
from puppets.streams import consume

from mojo_seq import (
    DataPipe,
    Handle,
    MessagePipe,
    ShouldWaitError,
    Signals,
    create_message_pipe,
)

MessagePipes = Callable[[], MessagePipe]


@contextmanager
def stopped(child: Puppet) -> Iterator[None]:
    """The child does not run inside the block. It is known to have stopped when it begins."""
    os.kill(child.pid, signal.SIGSTOP)
    status = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert status is not None and status.si_status == signal.SIGSTOP
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


@pytest.mark.parametrize(("count", "nbytes"), [(50_000, 8), (20_000, 1_000), (1_000, 100_000)])
def test_the_writer_goes_on(child: Puppet, pipe: MessagePipe, count: int, nbytes: int) -> None:
    """Public contract §3: "never blocks; unbounded": memory spills, all arrives in order."""
    there = child.give(pipe.handle1)
    with stopped(child):
        for number in range(count):
            pipe.handle0.write(number.to_bytes(8) * (nbytes // 8))
        assert pipe.handle0.query_signals_state().writable
    expected = [
        hashlib.sha256(number.to_bytes(8) * (nbytes // 8)).hexdigest() for number in range(count)
    ]
    assert child.call(receive_digests, there, count) == expected


def test_a_reader_in_the_middle_of_it(child: Puppet, pipe: MessagePipe) -> None:
    """Stopped three times while it reads, with writes before, during and after."""
    there = child.give(pipe.handle1)
    child.begin(receive_many, there, 40_000)
    for part in range(4):
        for number in range(part * 10_000, part * 10_000 + 5_000):
            pipe.handle0.write(str(number).encode())
        with stopped(child):
            for number in range(part * 10_000 + 5_000, part * 10_000 + 10_000):
                pipe.handle0.write(str(number).encode())
    assert child.finish() == [str(number).encode() for number in range(40_000)]


def test_handles_wait_too(child: Puppet, pipe: MessagePipe, closing: list[Handle]) -> None:
    """Their queue is that of the messages, and they are usable all the time."""
    there = child.give(pipe.handle1)
    kept = []
    with stopped(child):
        for number in range(1_000):
            a, b = create_message_pipe()
            kept.append(a)
            closing.append(a)
            a.write(b"before")
            pipe.handle0.write(str(number).encode(), [b])
            a.write(b"after")
    for a in kept:
        arrived = child.call(receive_handles, there)
        assert child.call(receive_from_each, arrived * 2) == [b"before", b"after"]
        child.call(close_all, arrived)
        wait_for(a, Signals.PEER_CLOSED)


def test_a_data_pipe_fills_up(child: Puppet, data_pipes: Callable[..., DataPipe]) -> None:
    """System rules §5.2: a data pipe has a bound, and shows it."""
    producer, consumer = data_pipes(1_000)
    there = child.give(consumer)
    child.begin(consume, there)
    with stopped(child):
        room = 1
        while room:
            try:
                room = producer.write(bytes(300))
            except ShouldWaitError:
                room = 0
        assert not producer.query_signals_state().writable
    wait_for(producer, Signals.WRITABLE)
    producer.close()
    count, _ = child.finish()
    assert count >= 1_000


def test_the_writer_closes_meanwhile(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §13.4: what was not taken yet is delivered after the closing."""
    there = child.give(pipe.handle1)
    with stopped(child):
        for number in range(5_000):
            pipe.handle0.write(str(number).encode() * 100)
        pipe.handle0.close()
    assert child.call(receive_many, there, 5_000) == [
        str(number).encode() * 100 for number in range(5_000)
    ]
    child.call(wait_for, there, Signals.PEER_CLOSED)


def test_killed_while_stopped(puppets: Callable[[], Puppet], pipe: MessagePipe) -> None:
    """System rules §13.6: and what was queued for it is given up."""
    child = puppets()
    child.give(pipe.handle1)
    with stopped(child):
        for _ in range(5_000):
            pipe.handle0.write(bytes(1_000))
        os.kill(child.pid, signal.SIGKILL)
    child.kill()
    wait_for(pipe.handle0, Signals.PEER_CLOSED)


def test_other_pipes_do_not_care(
    puppets: Callable[[], Puppet], pipe: MessagePipe, message_pipes: MessagePipes
) -> None:
    """Nobody waits for the one who is stopped but those who want something of him."""
    sleeper, reader = puppets(), puppets()
    sleeper.give(pipe.handle1)
    a, b = message_pipes()
    there = reader.give(b)
    with stopped(sleeper):
        for _ in range(20_000):
            pipe.handle0.write(bytes(1_000))
        reader.begin(receive_many, there, 20_000)
        for number in range(20_000):
            a.write(str(number).encode())
        assert len(reader.finish()) == 20_000
