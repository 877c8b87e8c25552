"""Pipes that end up inside one another across processes, and are let go of (system rules §13.7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.moves import pass_on
from puppets.pipes import wait_for

from mojo_seq import InvalidArgumentError, MessagePipe, Signals

MessagePipes = Callable[[], MessagePipe]


def test_two_ends_in_each_others_queues(child: Puppet, message_pipes: MessagePipes) -> None:
    """Neither can ever be read again, by anybody; nothing of them is left in any process."""
    for _ in range(20):
        (a, b), (c, d) = message_pipes(), message_pipes()
        at_a, at_c = child.give(a), child.give(c)
        # b waits for what comes from a, d for what comes from c.
        child.begin(pass_on, at_a, at_c)  # c is now in b's queue
        child.finish()
        d.write(b"", [b])  # and b in c's
        assert not b.is_valid
        d.close()
        at_a.close()


def test_an_end_in_its_own_queue_over_there(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §4.5: refused where it can be seen; both ends are in the child."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    ends = [child.give(end) for end in (a, b, c, d)]
    at_a, at_b, at_c, at_d = ends
    at_c.write(b"", [at_a])  # a is in d's queue
    with pytest.raises(InvalidArgumentError):
        at_b.write(b"", [at_d])  # which would be in a's
    at_d.close()  # which closes a


def test_a_ring_of_processes(puppets: Callable[[], Puppet], message_pipes: MessagePipes) -> None:
    """Each sends on the end by which it is reached, all round; then all let go."""
    ring = [puppets() for _ in range(3)]
    pipes = [message_pipes() for _ in ring]
    readers = [each.give(pipe.handle1) for each, pipe in zip(ring, pipes, strict=True)]
    writers = [each.give(pipes[(number + 1) % 3].handle0) for number, each in enumerate(ring)]
    watched, inner = message_pipes()
    ring[0].call(pass_on, writers[0], ring[0].give(inner))
    for each, writer, reader in zip(ring, writers, readers, strict=True):
        each.call(pass_on, writer, reader)
    for writer in writers:
        writer.close()
    wait_for(watched, Signals.PEER_CLOSED)
