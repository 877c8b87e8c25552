"""Endpoints that move again and again: there and home, round and round, both at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.moves import exchange, pass_on, send_home
from puppets.pipes import (
    receive,
    receive_handle,
    receive_handles,
    receive_many,
    receive_rest,
    send_numbers,
)

from mojo_seq import Handle, MessagePipe, MessagePipeHandle

MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]


def numbers(start: int, stop: int) -> list[bytes]:
    return [str(number).encode() for number in range(start, stop)]


def receive_end(pipe: MessagePipeHandle) -> MessagePipeHandle:
    handle = receive_handle(pipe)
    assert isinstance(handle, MessagePipeHandle)
    return handle


def test_fifty_bounces(child: Puppet, message_pipes: MessagePipes, closing: list[Handle]) -> None:
    """System rules §13.1: one end goes to and fro, the other writes before and after each move."""
    (a, b), (home, away) = message_pipes(), message_pipes()
    there = child.give(away)
    moving = b
    for bounce in range(50):
        send_numbers(a, bounce * 3, bounce * 3 + 1)
        home.write(b"", [moving])
        send_numbers(a, bounce * 3 + 1, bounce * 3 + 2)
        child.call(send_home, there)
        send_numbers(a, bounce * 3 + 2, bounce * 3 + 3)
        moving = receive_end(home)
    closing.append(moving)
    assert receive_many(moving, 150) == numbers(0, 150)
    moving.write(b"and back")
    assert receive(a) == b"and back"


def test_fifty_bounces_of_an_end_that_is_used(
    child: Puppet, message_pipes: MessagePipes, closing: list[Handle]
) -> None:
    """System rules §13.1: each side reads one message and writes one before it lets go."""
    (a, b), (home, away) = message_pipes(), message_pipes()
    there = child.give(away)
    send_numbers(a, 0, 100)
    moving = b
    for bounce in range(50):
        home.write(b"", [moving])
        assert child.call(send_home, there, use=1) == numbers(bounce * 2, bounce * 2 + 1)
        moving = receive_end(home)
        assert receive(moving) == str(bounce * 2 + 1).encode()
        moving.write(str(bounce * 2 + 1).encode())
    closing.append(moving)
    assert receive_many(a, 100) == numbers(0, 100)


def test_both_ends_bounce(
    child: Puppet, message_pipes: MessagePipes, closing: list[Handle]
) -> None:
    """System rules §13.2: the one, the other, both in one message, in turns."""
    ends, (home, away) = list(message_pipes()), message_pipes()
    there = child.give(away)
    for bounce in range(24):
        for end in ends:
            send_numbers(end, bounce * 2, bounce * 2 + 1)
        moving = [[0], [1], [0, 1]][bounce % 3]
        home.write(b"", [ends[number] for number in moving])
        for end in child.call(receive_handles, there):
            child.call(pass_on, there, end)
        for number in moving:
            ends[number] = receive_end(home)
        for end in ends:
            send_numbers(end, bounce * 2 + 1, bounce * 2 + 2)
    closing += ends
    assert receive_many(ends[0], 48) == numbers(0, 48)
    assert receive_many(ends[1], 48) == numbers(0, 48)


@pytest.mark.parametrize("processes", [2, 4])
def test_twenty_hops_round_a_ring(
    puppets: Puppets, message_pipes: MessagePipes, processes: int
) -> None:
    """System rules §13.1: through many hands, with unread messages and new ones at each."""
    ring = [puppets() for _ in range(processes)]
    carriers = [message_pipes() for _ in ring]
    inlets = [each.give(c.handle1) for each, c in zip(ring, carriers, strict=True)]
    outlets = [
        each.give(carriers[(number + 1) % processes].handle0) for number, each in enumerate(ring)
    ]
    a, b = message_pipes()
    end = ring[0].give(b)
    for hop in range(20):
        here = hop % processes
        send_numbers(a, hop, hop + 1)
        ring[here].call(pass_on, outlets[here], end)
        end = ring[(here + 1) % processes].call(receive_handle, inlets[(here + 1) % processes])
    last = ring[20 % processes]
    assert last.call(receive_many, end, 20) == numbers(0, 20)
    end.write(b"from afar")
    assert receive(a) == b"from afar"


@pytest.mark.timeout(300)
def test_twenty_hops_through_twenty_processes(
    puppets: Puppets, message_pipes: MessagePipes
) -> None:
    """System rules §13.6: those it has passed through may be gone."""
    a, b = message_pipes()
    moving = b
    for hop in range(20):
        child = puppets()
        there = child.give(moving)
        assert child.call(receive_many, there, hop) == numbers(0, hop)
        child.call(send_numbers, there, hop, hop + 1)
        moving = child.take(there)
        send_numbers(a, 0, hop + 1)
        child.close()
    with moving:
        assert receive_many(moving, 20) == numbers(0, 20)
        assert receive_many(a, 20) == numbers(0, 20)


@pytest.mark.parametrize("pending", [0, 3, 500])
def test_both_ends_are_exchanged_at_once(
    puppets: Puppets, message_pipes: MessagePipes, pending: int
) -> None:
    """System rules §13.3: b and c hold x and y, and send them to each other, twenty times."""
    b, c = puppets(), puppets()
    (x, y), (left, right) = message_pipes(), message_pipes()
    send_numbers(x, 0, pending)
    send_numbers(y, 0, pending)
    ends = {b: b.give(x), c: c.give(y)}
    carriers = {b: b.give(left), c: c.give(right)}
    for _ in range(20):
        b.begin(exchange, carriers[b], ends[b])
        c.begin(exchange, carriers[c], ends[c])
        ends = {b: b.finish(), c: c.finish()}
    for here, there in ((b, c), (c, b)):
        here.call(send_numbers, ends[here], pending, pending + 5)
        assert there.call(receive_many, ends[there], pending + 5) == numbers(0, pending + 5)


def test_both_ends_are_exchanged_over_different_carriers(
    puppets: Puppets, message_pipes: MessagePipes
) -> None:
    """System rules §13.3: "through different carriers", while others write into them."""
    b, c = puppets(), puppets()
    (x, y), (p, q), (r, s) = message_pipes(), message_pipes(), message_pipes()
    at_b, at_c = b.give(x), c.give(y)
    to_c, from_b = b.give(p), c.give(q)
    to_b, from_c = c.give(r), b.give(s)
    for turn in range(20):
        for each, end in ((b, at_b), (c, at_c)):
            each.call(send_numbers, end, turn, turn + 1)
        b.begin(pass_on, to_c, at_b)
        c.begin(pass_on, to_b, at_c)
        b.finish(), c.finish()
        b.begin(receive_handle, from_c)
        c.begin(receive_handle, from_b)
        at_b, at_c = b.finish(), c.finish()
    assert b.call(receive_many, at_b, 20) == numbers(0, 20)
    assert c.call(receive_many, at_c, 20) == numbers(0, 20)


def test_an_end_moves_while_its_peer_is_writing(
    puppets: Puppets, message_pipes: MessagePipes
) -> None:
    """System rules §13.1: nothing is lost between two readers, of whom the first took some."""
    writer, reader = puppets(), puppets()
    a, b = message_pipes()
    source = writer.give(a)
    writer.begin(send_numbers, source, 0, 20_000)
    received = receive_many(b, 3_000)
    there = reader.give(b)
    received += reader.call(receive_many, there, 7_000)
    back = reader.take(there)
    writer.finish()
    source.close()
    with back:
        received += receive_rest(back)
    assert received == numbers(0, 20_000)


def test_an_end_moves_while_its_own_messages_are_on_the_way(
    puppets: Puppets, message_pipes: MessagePipes
) -> None:
    """System rules §13.1: what the kernel has not taken travels along and comes first."""
    second = puppets()
    first = puppets()
    a, b = message_pipes()
    there = first.give(b)
    for number in range(100):
        there.write(bytes([number]) * 40_000)  # far more than a socket takes
    moved = second.give(first.take(there))
    moved.write(b"last")
    for number in range(100):
        assert receive(a) == bytes([number]) * 40_000
    assert receive(a) == b"last"
