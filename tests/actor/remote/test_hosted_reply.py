"""What an ask that came from another process is told."""

from __future__ import annotations

from typing import Any

from strangers import Depot

from mojo_seq import ActorSystem, AskCycleError, MessagePipeHandle
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.chains import who_is
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.remote.hosted_reply import HostedReply, extend_wait


class Client:
    """Hears nothing."""

    client = b"client"

    def answer_slowly(self, reply: Any) -> None:
        """See Accepted."""


def test_a_cycle_that_is_found_just_before_the_wait_is_told_whole(system: ActorSystem) -> None:
    here, there = system.spawn(Depot), system.spawn(Depot)
    client: Any = Client()
    reply = HostedReply(client, 3, here._target)
    # Somebody asked `here`, which for that asked `there`, which for that asks `here`.
    reply.path = {(b"1", 1): who_is(here._target), (b"1", 2): who_is(there._target)}
    error = reply.complete_cycle(AskCycleError("", (here,)))
    assert error.chain == (here, there, here)
    reply.cancel()


class _JustAnswered:
    """A reply to whom the answer comes, on another thread, when it has just been looked at."""

    token = (b"there", 1)
    target = None

    def __init__(self, connection: Connection) -> None:
        self._left = [connection]

    @property
    def waiter(self) -> Connection | None:
        return self._left.pop() if self._left else None


def test_an_answer_may_come_while_others_are_told_of_the_wait(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    extend_wait(_JustAnswered(connection), {})
    parts = [wire.take_apart(message) for message in far.read_batch()]
    assert [each[0] for each in parts if each is not None] == [wire.HELLO, wire.EXTEND]
