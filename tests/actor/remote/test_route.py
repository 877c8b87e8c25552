"""Routes whose connection goes away while they are used."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from strangers.far_end import connect
from strangers.fixtures import TIMEOUT

from mojo_seq import (
    ActorDeadError,
    InvalidArgumentError,
    MessagePipeHandle,
    PeerClosedError,
    create_message_pipe,
)
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.remote.route import Route
from mojo_seq.actor.reply import Reply


class _Way(Route):
    def find_way(self) -> None:
        """Nobody asks for it here."""


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Between threads."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_an_ask_fails_if_the_end_was_noticed_just_before_it_is_written(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    way = _Way(1, None, "it", b"home")
    way.lead_to(connection)
    far.close()
    connection.read()
    way._connection = connection  # as a thread has it that was just about to write
    reply = Reply[int]()
    way.send("ask", (), None, reply)
    way.end(StopReason("stopped"))
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)


class _Held:
    """A message; the thread that writes it is held, and then the other end is gone."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.goes_on = threading.Event()

    def write_to(self, pipe: MessagePipeHandle) -> None:
        self.begun.set()
        assert self.goes_on.wait(TIMEOUT)
        raise PeerClosedError("as the test wants it")

    def discard(self) -> None: ...


def test_the_end_is_told_by_one_thread_while_another_one_sends_what_waited(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    way = _Way(1, None, "it", b"home")
    held, reply = _Held(), Reply[int]()
    way._waiting.append((held, 1, reply))  # type: ignore[arg-type]
    told = threading.Event()

    def tell() -> None:
        """As the I/O thread does it."""
        with connection._reading:
            held.goes_on.set()
            way.on_lost(connection)
            told.set()

    sending = threading.Thread(target=way.lead_to, args=(connection,), daemon=True)
    telling = threading.Thread(target=tell, daemon=True)
    far.close()
    sending.start()
    assert held.begun.wait(TIMEOUT)
    telling.start()
    assert told.wait(TIMEOUT)
    sending.join(TIMEOUT)
    telling.join(TIMEOUT)
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)


def test_what_cannot_be_written_waits_for_no_other_reader(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    way = _Way(1, None, "it", b"home")
    way.lead_to(connection)
    far.close()
    sending = threading.Thread(target=way.send, args=("ask", (), None, Reply[int]()), daemon=True)
    with connection._reading:
        sending.start()
        sending.join(TIMEOUT)
        assert not sending.is_alive()


def test_a_message_that_waits_and_cannot_be_sent_keeps_up_no_others(
    ends: tuple[Connection, MessagePipeHandle], caplog: pytest.LogCaptureFixture
) -> None:
    connection, _ = ends
    way = _Way(1, None, "it", b"home")
    refused, sent = Reply[int](), Reply[int]()
    near, argument = create_message_pipe()
    way.send("ask", (argument,), None, refused)
    way.send("tell", (argument,), None, None)
    way.send("ask", (), None, sent)
    near.close()
    argument.close()
    way.lead_to(connection)
    with pytest.raises(InvalidArgumentError):
        refused.result(TIMEOUT)
    assert "was dropped" in caplog.text
    assert sent.waiter is connection
    caplog.clear()


@pytest.mark.parametrize("run", range(20))
def test_all_routes_hear_of_the_end_while_more_of_them_come(
    run: int, frequent_switches: None
) -> None:
    connection, far = connect()
    there = [_Way(1, None, "early", b"home") for _ in range(200)]
    for each in there:
        each.lead_to(connection)
    coming = [_Way(1, None, "late", b"home") for _ in range(200)]
    begin = threading.Event()

    def come() -> None:
        begin.wait()
        for each in coming:
            each.lead_to(connection)

    thread = threading.Thread(target=come)
    thread.start()
    far.close()
    begin.set()
    connection.read()
    thread.join()
    assert not any(each.command(wire.STOP) for each in [*there, *coming])
    assert not any(each._connection for each in [*there, *coming])
    connection.close()
