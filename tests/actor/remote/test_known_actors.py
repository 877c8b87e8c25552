"""What is remembered of actors of other processes, and that it does not grow for ever."""

from __future__ import annotations

import time

import pytest
from strangers.fixtures import TIMEOUT
from strangers.tellers import Listener, Teller, remembered

from mojo_seq import ActorSystem, MessagePipeHandle, ProcessPool, create_message_pipe
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.accepted import Accepted
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.remote.description import Description
from mojo_seq.actor.remote.node import node_of
from mojo_seq.actor.remote.remote_target import RemoteTarget
from mojo_seq.process.object_codec import encode

MANY = 1500
FEW = 400


def come_to_know(connection: Connection, number: int) -> RemoteTarget:
    """As a ref that arrives does."""
    box = (10, "block")
    who = Description(
        (connection.node_id, number), None, "nowhere", "Nobody", frozenset(), False, box
    )
    connection.purse(number, box)
    return RemoteTarget(who, connection)


def end(far: MessagePipeHandle, number: int) -> None:
    """The node tells of an end."""
    encode(("killed", None), wire.pack_suffix(wire.DOWN, number, 0)).write_to(far)


def watched(far: MessagePipeHandle) -> list[int]:
    """The actors whose end the node is asked for, since the last time."""
    said = [wire.take_apart(message) for message in far.read_batch()]
    return [parts[1] for parts in said if parts is not None and parts[0] == wire.WATCH]


def test_who_has_ended_is_forgotten_after_the_last_ref(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    for number in range(1, MANY):
        come_to_know(connection, number)
        end(far, number)
        connection.read()
        far.read_batch()
    assert remembered(connection) < FEW


def test_the_end_of_an_actor_is_known_as_long_as_a_ref_leads_to_it(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    held = [come_to_know(connection, number) for number in range(1, MANY)]
    for number in range(1, MANY):
        end(far, number)
        connection.read()
    assert not any(target.is_alive for target in held)
    held.clear()
    for number in range(MANY, 3 * MANY):
        come_to_know(connection, number)
        end(far, number)
        connection.read()
        far.read_batch()
    assert remembered(connection) < FEW + 2 * MANY  # it is looked through seldom if much is there


def test_of_who_was_forgotten_the_node_is_asked_anew(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    come_to_know(connection, 1)
    assert watched(far) == [1]
    come_to_know(connection, 1)
    assert watched(far) == []
    for number in range(1, FEW):
        end(far, number)
    connection.read()
    while 1 in connection.ends and number < MANY:
        number += 1
        end(far, number)
        connection.read()
    again = come_to_know(connection, 1)
    assert watched(far) == [1]
    assert again.is_alive
    end(far, 1)
    assert not again.is_alive


def test_ends_are_not_left_unread_when_there_may_be_many(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    targets = [come_to_know(connection, number) for number in range(1, 20)]
    assert not connection.needs_watch()  # which would slow down those who wait for answers
    targets += [come_to_know(connection, number) for number in range(20, FEW)]
    assert connection.needs_watch()
    end(far, 1)
    connection.read()
    assert not connection.needs_watch()


def test_a_node_tells_of_an_end_as_often_as_it_is_asked(system: ActorSystem) -> None:
    near, far = create_message_pipe()
    accepted = Accepted(node_of(system), far)
    number = 1_000_000  # that is nobody any more
    with near:
        for _ in range(2):
            near.write(wire.pack_suffix(wire.WATCH, number, 0))
            assert accepted.read()
            parts = wire.take_apart(near.read())
            assert parts is not None
            assert parts[:2] == (wire.DOWN, number)
        ask = encode(("hear", (), None, None), wire.pack_suffix(wire.TELL, number, 0))
        ask.write_to(near)
        assert accepted.read()
        assert not near.query_signals_state().readable  # it has been said
    accepted.close()


@pytest.mark.across_processes
def test_a_process_that_only_tells_does_not_gather_those_that_were(
    system: ActorSystem, pool: ProcessPool
) -> None:
    teller = system.spawn(Teller, on=pool)
    for number in range(2 * MANY):
        listener = system.spawn(Listener)
        teller.pass_on.tell(listener)
        listener.stop()
        if number % 100 == 0:  # of refs that wait there, twice as many ends may be remembered
            teller.remembered().result(TIMEOUT)

    def most() -> int:
        there: int = teller.remembered().result(TIMEOUT)
        here = [len(each._known) for each in node_of(system)._accepted]
        return max(*here, there)

    deadline = time.monotonic() + TIMEOUT
    while most() > MANY and time.monotonic() < deadline:
        time.sleep(0.01)  # some of them are ending yet
    assert most() <= MANY
