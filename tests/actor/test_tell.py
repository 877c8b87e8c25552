"""Tells: messages that nobody waits for an answer to (public contract §11)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Echo, Puppet
from troupe.fixtures import RunThreads, Spawn, WaitEnded
from troupe.letters import Letters


def test_a_tell_returns_nothing_and_is_handled(spawn: Spawn) -> None:
    counter = spawn(Counter)
    tells: Any = counter
    assert tells.add.tell(5) is None
    assert tells.add_async.tell(k=2) is None
    assert counter.get().result(TIMEOUT) == 7


def test_tells_and_asks_keep_their_order(spawn: Spawn, journal: Journal) -> None:
    # Contract: messages from one sender to one actor are handled in order.
    puppet = spawn(Puppet, journal.ref)
    replies = []
    for i in range(0, 100, 2):
        puppet.note.tell(i)
        replies.append(puppet.note(i + 1))
    assert journal.take(100) == list(range(100))
    assert all(reply.result(TIMEOUT) is None for reply in replies)


def test_tells_of_one_actor_to_another_keep_their_order(spawn: Spawn, journal: Journal) -> None:
    from troupe.senders import Sender

    sender, puppet = spawn(Sender), spawn(Puppet, journal.ref)
    sender.tell_many(puppet, "note", 100).result(TIMEOUT)
    assert journal.take(100) == list(range(100))


def test_each_senders_order_is_kept(
    spawn: Spawn, journal: Journal, run_threads: RunThreads
) -> None:
    puppet = spawn(Puppet, journal.ref)

    def send(number: int) -> None:
        for i in range(50):
            puppet.note.tell((number, i))

    run_threads(4, send)
    entries = journal.take(200)
    for number in range(4):
        assert [i for each, i in entries if each == number] == list(range(50))


def test_telling_does_not_wait_for_the_actor(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    puppet.work.tell()
    done = puppet.count()
    assert not done.done()
    gate.open()
    assert done.result(TIMEOUT) == 1


@pytest.mark.parametrize("method", ["fail", "fail_async"])
def test_an_exception_in_a_told_message_is_a_failure(
    spawn: Spawn,
    journal: Journal,
    wait_ended: WaitEnded,
    logged_error: Callable[[], logging.LogRecord],
    method: str,
) -> None:
    # Contract: without a supervisor a failure stops the actor and is logged.
    puppet = spawn(Puppet, journal.ref)
    puppet.tell(method, "the reason")
    reason = wait_ended(puppet)
    assert reason.kind == "failed"
    assert isinstance(reason.error, LookupError)
    assert not puppet.is_alive
    record = logged_error()
    assert method in record.getMessage()
    assert "Puppet" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_wrong_arguments_of_a_tell_are_a_failure(spawn: Spawn, wait_ended: WaitEnded) -> None:
    counter = spawn(Counter)
    counter.add.tell(1, 2, 3)
    reason = wait_ended(counter)
    assert (reason.kind, type(reason.error)) == ("failed", TypeError)


def test_what_a_tell_returns_is_dropped(spawn: Spawn, journal: Journal) -> None:
    echo = spawn(Echo)
    for _ in range(10):
        echo.echo.tell("nobody wants this")
    assert echo.echo("this").result(TIMEOUT) == "this"


def test_a_tell_to_a_dead_actor_never_raises(
    spawn: Spawn, letters: Letters, wait_ended: WaitEnded
) -> None:
    # Contract: tells become dead letters.
    counter = spawn(Counter)
    counter.stop()
    wait_ended(counter)
    counter.add.tell(1)
    counter.tell(Counter.add, k=2)
    assert [(letter.ref, letter.method, letter.args) for letter in letters.take(2)] == [
        (counter, "add", (1,)),
        (counter, "add", ()),
    ]
