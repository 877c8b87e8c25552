"""A pipe is between two processes; those that made it or passed it on are out of it (§13.8)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from puppets import Puppet
from puppets.family import Grandchild
from puppets.pipes import count_round_trips, echo, receive
from puppets.puppet import itself

from mojo_seq import MessagePipe, create_message_pipe

MessagePipes = Callable[[], MessagePipe]


def test_cousins_talk_while_their_parents_are_stopped(
    puppets: Callable[[], Puppet], message_pipes: MessagePipes
) -> None:
    """System rules §13.8: grandchild to grandchild, and to their grandparent."""
    parents = puppets(), puppets()
    first, second = map(Grandchild, parents)
    (a, b), (here, there) = message_pipes(), message_pipes()
    at_first = first.call(itself, parents[0].give(a))
    at_second = second.call(itself, parents[1].give(b))
    answer = second.call(itself, parents[1].give(there))
    first.puppet.begin(echo, at_first)
    second.puppet.begin(count_round_trips, at_second, answer, 1_000)
    for parent in parents:
        os.kill(parent.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, parent.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        here.write(b"go")
        assert receive(here) == b"1000 round trips"
    finally:
        for parent in parents:
            os.kill(parent.pid, signal.SIGCONT)
    second.puppet.finish()
    assert first.puppet.finish() == 1_000


def test_children_talk_while_their_parent_is_stopped(
    puppets: Callable[[], Puppet], message_pipes: MessagePipes
) -> None:
    """System rules §13.8: two children of one parent, who made the pipe between them."""
    parent = puppets()
    first, second = Grandchild(parent), Grandchild(parent)
    a, b = parent.call(create_message_pipe)
    here, there = message_pipes()
    at_first, at_second = first.call(itself, a), second.call(itself, b)
    answer = second.call(itself, parent.give(there))
    first.puppet.begin(echo, at_first)
    second.puppet.begin(count_round_trips, at_second, answer, 1_000)
    os.kill(parent.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, parent.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        here.write(b"go")
        assert receive(here) == b"1000 round trips"
    finally:
        os.kill(parent.pid, signal.SIGCONT)
    second.puppet.finish()
    assert first.puppet.finish() == 1_000
