"""Handles in great numbers and depths (public contract §10: "to any depth")."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.nests import check_six, close_all, nest, receive_from_each, six_handles, unpack
from puppets.pipes import echo, next_message, receive, receive_handle, receive_handles, wait_for

from mojo_seq import (
    Handle,
    MessagePipe,
    MessagePipeHandle,
    Signals,
    create_message_pipe,
)

MessagePipes = Callable[[], MessagePipe]


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


# ---- many


@pytest.mark.parametrize("count", [1, 2, 252, 253, 254, 300, 506, 507, 1_000])
def test_many_handles_in_one_message(
    child: Puppet, pipe: MessagePipe, closing: list[Handle], count: int
) -> None:
    """Public contract §10: more than one system call can carry, in their order."""
    there = child.give(pipe.handle1)
    pipes = [create_message_pipe() for _ in range(count)]
    closing += [a for a, _ in pipes]
    pipe.handle0.write(b"many", [b for _, b in pipes])
    for number, (a, _) in enumerate(pipes):
        a.write(str(number).encode())
    arrived = child.call(receive_handles, there)
    expected = [str(number).encode() for number in range(count)]
    assert child.call(receive_from_each, arrived) == expected
    child.call(close_all, arrived)
    for a, _ in pipes:
        wait_for(a, Signals.PEER_CLOSED)


def test_many_handles_of_all_kinds_with_a_large_payload(
    child: Puppet, pipe: MessagePipe, closing: list[Handle]
) -> None:
    """Public contract §3: one message, there and back again, and all still works."""
    payload = os.urandom(300_000)
    handles = [handle for _ in range(100) for handle in six_handles()]
    there = child.give(pipe.handle1)
    child.begin(echo, there)
    pipe.handle0.write(payload, handles)
    with next_message(pipe.handle0) as message:
        assert message.payload == payload
        back = message.take_handles()
    closing += back
    pipe.handle0.close()
    assert child.finish() == 1
    assert len(back) == 600
    for number in range(0, 600, 6):
        check_six(back[number : number + 6])


def test_many_messages_with_handles_among_others_without(
    child: Puppet, pipe: MessagePipe, closing: list[Handle]
) -> None:
    """System rules §13.1: handles stay with their messages, spilled or not."""
    there = child.give(pipe.handle1)
    for number in range(600):
        handles = six_handles() if number % 3 == 0 else []
        pipe.handle0.write(str(number).encode() * (number % 7) * 1_000, handles)
    pipe.handle0.write(b"end")
    child.begin(echo, there)
    for number in range(600):
        with next_message(pipe.handle0) as message:
            assert bytes(message) == str(number).encode() * (number % 7) * 1_000
            back = message.take_handles()
        closing += back
        assert len(back) == (6 if number % 3 == 0 else 0)
        if back:
            check_six(back)
    assert receive(pipe.handle0) == b"end"
    pipe.handle0.close()
    assert child.finish() == 601


# ---- deep


@pytest.mark.parametrize("nbytes", [0, 100_000])
@pytest.mark.parametrize("depth", [1, 2, 100])
def test_pipe_in_a_message_in_a_pipe(
    child: Puppet, message_pipes: MessagePipes, depth: int, nbytes: int
) -> None:
    """Public contract §10: unread messages leave with their pipe, and so on down."""
    bottom, inner = message_pipes()
    outermost = child.give(nest(inner, depth, nbytes))
    innermost = child.call(unpack, outermost, depth)
    bottom.write(b"deep")
    assert child.call(receive, innermost) == b"deep"
    innermost.write(b"high")
    assert receive(bottom) == b"high"


def test_a_nest_built_there_is_unpacked_here(
    child: Puppet, message_pipes: MessagePipes, closing: list[Handle]
) -> None:
    """Public contract §10, the other way."""
    bottom, inner = message_pipes()
    there = child.give(inner)
    outermost = child.take(child.call(nest, there, 100))
    innermost = unpack(outermost, 100)
    closing.append(innermost)
    bottom.write(b"deep")
    assert receive(innermost) == b"deep"


def test_a_nest_passes_through_unread(
    puppets: Callable[[], Puppet], message_pipes: MessagePipes
) -> None:
    """System rules §13.1: what was never looked at here gets there all the same."""
    first, second = puppets(), puppets()
    bottom, inner = message_pipes()
    built = first.call(nest, first.give(inner), 30, 70_000)
    passing = first.take(built)
    assert isinstance(passing, MessagePipeHandle)
    outermost = second.give(passing)
    innermost = second.call(unpack, outermost, 30)
    bottom.write(b"deep")
    assert second.call(receive, innermost) == b"deep"


def test_a_nest_grows_on_its_way(child: Puppet, message_pipes: MessagePipes) -> None:
    """Public contract §10: each side packs it once more; then all is unpacked by one."""
    bottom, moving = message_pipes()
    for _ in range(10):
        there = child.give(nest(moving, 1))
        moving = child.take(child.call(nest, there, 1))
    for _ in range(20):
        moving = unpack(moving, 1)
    with moving:
        bottom.write(b"deep")
        assert receive(moving) == b"deep"


def test_a_nest_whose_carrier_leaves_while_it_grows(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §4.5: messages in transit belong to an end that is itself in transit."""
    (a, b), (outer, inner), (c, d) = message_pipes(), message_pipes(), message_pipes()
    there = child.give(b)
    a.write(b"", [inner])  # now in a socket, or beyond
    outer.write(b"", [d])  # and this follows it
    c.write(b"first")
    arrived = child.call(receive_handle, child.call(receive_handle, there))
    c.write(b"second")
    assert child.call(receive_from_each, [arrived, arrived]) == [b"first", b"second"]
