"""Fusing pipes that lead to other processes (system rules §4.4, §13.1)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from puppets import Puppet
from puppets.pipes import receive, receive_many, receive_rest, send_numbers, wait_for

from mojo_seq import (
    FailedPreconditionError,
    MessagePipe,
    Result,
    Signals,
    Watcher,
    fuse_message_pipes,
    wait,
)

MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]
PC = Signals.PEER_CLOSED


def numbers(start: int, stop: int) -> list[bytes]:
    return [str(number).encode() for number in range(start, stop)]


def test_two_children_are_joined(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §4.4: A and D, in different processes, are the ends of one pipe."""
    first, second = puppets(), puppets()
    (a, b), (c, d) = message_pipes(), message_pipes()
    at_first, at_second = first.give(a), second.give(d)
    fuse_message_pipes(b, c)
    assert not b.is_valid and not c.is_valid
    at_first.write(b"to the second")
    assert second.call(receive, at_second) == b"to the second"
    at_second.write(b"to the first")
    assert first.call(receive, at_first) == b"to the first"


def test_what_is_queued_goes_on(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §4.4: in order, ahead of what is written after the fusion."""
    first, second = puppets(), puppets()
    (a, b), (c, d) = message_pipes(), message_pipes()
    at_first, at_second = first.give(a), second.give(d)
    first.call(send_numbers, at_first, 0, 500)
    second.call(send_numbers, at_second, 0, 500)
    fuse_message_pipes(b, c)
    first.call(send_numbers, at_first, 500, 1_000)
    second.call(send_numbers, at_second, 500, 1_000)
    assert first.call(receive_many, at_first, 1_000) == numbers(0, 1_000)
    assert second.call(receive_many, at_second, 1_000) == numbers(0, 1_000)


def test_pipes_in_use_are_joined_half_read(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §4.4: whatever way the messages take, by then and from then on."""
    first, second = puppets(), puppets()
    (a, b), (c, d) = message_pipes(), message_pipes()
    at_first, at_second = first.give(a), second.give(d)
    for child, end, near in ((first, at_first, b), (second, at_second, c)):
        for start in range(0, 400, 100):
            child.call(send_numbers, end, start, start + 100)
            if start < 300:
                assert receive_many(near, 100) == numbers(start, start + 100)
        assert receive_many(near, 50) == numbers(300, 350)
    fuse_message_pipes(b, c)
    first.begin(send_numbers, at_first, 400, 3_000)
    second.call(send_numbers, at_second, 400, 3_000)
    first.finish()
    assert first.call(receive_many, at_first, 2_650) == numbers(350, 3_000)
    assert second.call(receive_many, at_second, 2_650) == numbers(350, 3_000)


def test_local_and_remote_are_joined(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §4.4: A here, D there; messages in both queues."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    send_numbers(a, 0, 3)
    there = child.give(d)
    child.call(send_numbers, there, 0, 3)
    fuse_message_pipes(b, c)
    send_numbers(a, 3, 6)
    child.call(send_numbers, there, 3, 6)
    assert receive_many(a, 6) == numbers(0, 6)
    assert child.call(receive_many, there, 6) == numbers(0, 6)


def test_large_queues_are_joined(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §4.4: far more than a socket takes, on both sides."""
    first, second = puppets(), puppets()
    (a, b), (c, d) = message_pipes(), message_pipes()
    at_first, at_second = first.give(a), second.give(d)
    for number in range(200):
        at_first.write(bytes([number]) * 30_000)
    fuse_message_pipes(b, c)
    at_first.write(b"end")
    for number in range(200):
        assert second.call(receive, at_second) == bytes([number]) * 30_000
    assert second.call(receive, at_second) == b"end"


def test_closure_is_seen_through_the_fusion(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §4.4: a peer that closed before fusion, after its queued messages."""
    first, second = puppets(), puppets()
    (a, b), (c, d) = message_pipes(), message_pipes()
    at_first, at_second = first.give(a), second.give(d)
    first.call(send_numbers, at_first, 0, 10)
    at_first.close()
    fuse_message_pipes(b, c)
    assert second.call(receive_rest, at_second) == numbers(0, 10)


def test_closure_after_the_fusion(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §4.4, §13.6: by close, or by the death of the process."""
    first, second = puppets(), puppets()
    (a, b), (c, d) = message_pipes(), message_pipes()
    first.give(a)
    at_second = second.give(d)
    fuse_message_pipes(b, c)
    second.begin(wait_for, at_second, PC)
    first.kill()
    second.finish()


def test_a_chain_of_fusions(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §13.1: order through any number of fuses, made by several processes."""
    first, second = puppets(), puppets()
    pipes = [message_pipes() for _ in range(6)]
    start, end = first.give(pipes[0].handle0), second.give(pipes[-1].handle1)
    first.call(send_numbers, start, 0, 100)
    for number, (one, other) in enumerate(pairwise(pipes)):
        where = (first, second, None)[number % 3]
        if where is None:
            fuse_message_pipes(one.handle1, other.handle0)
        else:
            where.call(fuse_message_pipes, where.give(one.handle1), where.give(other.handle0))
        first.call(send_numbers, start, 100 + number * 10, 110 + number * 10)
    assert second.call(receive_many, end, 150) == numbers(0, 150)
    end.write(b"back")
    assert first.call(receive, start) == b"back"


def test_an_end_that_was_written_to_is_not_fused(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §4.4: FAILED_PRECONDITION; both ends stay with the caller."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(a)
    b.write(b"written")
    with pytest.raises(FailedPreconditionError):
        fuse_message_pipes(b, c)
    assert child.call(receive, there) == b"written"
    d.write(b"works")
    assert receive(c) == b"works"


def test_an_end_that_was_written_to_elsewhere_is_not_fused(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §4.4: "ever", also by a former owner in another process."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(b)
    there.write(b"written")
    with child.take(there) as back:
        with pytest.raises(FailedPreconditionError):
            fuse_message_pipes(back, c)
        assert receive(a) == b"written"
    d.write(b"works")
    assert receive(c) == b"works"


def test_both_ends_of_a_pipe_that_came_home_are_not_fused(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §4.4: FAILED_PRECONDITION for the two ends of one pipe."""
    ends = [child.take(child.give(end)) for end in message_pipes()]
    with ends[0], ends[1]:
        with pytest.raises(FailedPreconditionError):
            fuse_message_pipes(*ends)
        ends[0].write(b"works")
        assert receive(ends[1]) == b"works"


def test_watches_on_fused_ends_are_cancelled(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §4.4."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    child.give(d)
    results: list[Result] = []
    with Watcher(lambda context, result, state, flags: results.append(result)) as watcher:
        watcher.watch(b, Signals.READABLE, "b")
        watcher.watch(c, Signals.READABLE, "c")
        assert watcher.arm() == []
        fuse_message_pipes(b, c)
        assert results == [Result.CANCELLED, Result.CANCELLED]
    assert wait(a, Signals.READABLE, 0)[0] is Result.DEADLINE_EXCEEDED


def test_peer_remote_follows_the_new_peer(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §4.4: A had a local peer, and then one in another process."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    child.give(d)
    assert not a.query_signals_state().peer_remote
    fuse_message_pipes(b, c)
    wait_for(a, Signals.PEER_REMOTE)
