"""Full mailboxes: every overflow policy, for every kind of sender (public contract §11)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Puppet
from troupe.fixtures import Spawn
from troupe.letters import Letters
from troupe.senders import Sender

from mojo_seq import ActorRef, ActorSystem, Mailbox, MailboxFullError

Full = Callable[[str], ActorRef[Puppet]]


@pytest.fixture
def full(spawn: Spawn, journal: Journal, gate: Gate) -> Full:
    """Makes an actor that is held at the gate, and whose mailbox of 2 is full: of tells 0, 1."""

    def make(overflow: str) -> ActorRef[Puppet]:
        puppet = spawn(Puppet, journal.ref, mailbox=Mailbox(2, overflow))
        held = puppet.hold(gate.ref)
        assert journal.next() == "held"
        puppet.note.tell(0)
        puppet.note.tell(1)
        assert not held.done()
        return puppet

    return make


def test_fail_raises_at_the_call_of_a_tell(full: Full, journal: Journal, gate: Gate) -> None:
    # Contract: a tell that finds a full mailbox raises at the call.
    puppet = full("fail")
    for _ in range(3):
        with pytest.raises(MailboxFullError):
            puppet.note.tell(2)
    gate.open()
    assert journal.take(2) == [0, 1]


def test_fail_of_an_ask_is_in_its_reply(full: Full, journal: Journal, gate: Gate) -> None:
    # Contract: errors of an ask come in its Reply.
    puppet = full("fail")
    reply = puppet.work()
    assert reply.done()
    assert isinstance(reply.exception(), MailboxFullError)
    gate.open()
    assert journal.take(2) == [0, 1]
    assert puppet.count().result(TIMEOUT) == 0


def test_fail_of_an_awaited_ask(full: Full, spawn: Spawn) -> None:
    puppet, sender = full("fail"), spawn(Sender)
    with pytest.raises(MailboxFullError):
        sender.await_ask(puppet, "work").result(TIMEOUT)
    with pytest.raises(MailboxFullError):
        sender.ask_it(puppet, "work").result(TIMEOUT)


def room(in_process: bool) -> int:
    """How much a second sender finds in a full mailbox of 2. Each process has 2 of its own."""
    return 2 if in_process else 0


@pytest.mark.parametrize("method", ["fill", "fill_async"])
@pytest.mark.parametrize("overflow", ["fail", "block"])
def test_a_tell_of_an_actor_never_waits(
    full: Full, spawn: Spawn, overflow: str, method: str, in_process: bool
) -> None:
    # Contract: a sender on a sequence or event loop gets MailboxFullError.
    puppet, sender = full(overflow), spawn(Sender)
    assert sender.ask(method, puppet, "note", 10).result(TIMEOUT) <= room(in_process)


def test_block_makes_a_thread_wait(full: Full, journal: Journal, gate: Gate) -> None:
    puppet = full("block")
    sent: list[int] = []

    def send() -> None:
        for i in range(2, 20):
            puppet.note.tell(i)
            sent.append(i)
        assert puppet.work("asked").result(TIMEOUT) == "asked"
        sent.append(20)

    thread = threading.Thread(target=send)
    thread.start()
    assert sent == [], "there is no room before the gate opens"
    gate.open()
    thread.join(TIMEOUT)
    assert sent == list(range(2, 21))
    assert journal.take(20) == list(range(20)), "none is lost, and their order is kept"


def test_block_lets_an_ask_of_a_thread_wait_too(full: Full, gate: Gate) -> None:
    puppet = full("block")
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(puppet.work(7).result(TIMEOUT)))
    thread.start()
    gate.open()
    thread.join(TIMEOUT)
    assert results == [7]


def test_block_fails_an_ask_of_an_actor_that_does_not_await_it(full: Full, spawn: Spawn) -> None:
    puppet, sender = full("block"), spawn(Sender)
    sender.fill(puppet, "note", 10).result(TIMEOUT)
    error = sender.error_of(puppet, "work").result(TIMEOUT)
    assert isinstance(error, MailboxFullError)


def test_block_suspends_an_awaited_ask(
    full: Full, spawn: Spawn, journal: Journal, gate: Gate
) -> None:
    # Contract: an awaited ask suspends instead.
    puppet, sender = full("block"), spawn(Sender)
    reply = sender.await_ask(puppet, "work", 7)
    assert not reply.done()
    gate.open()
    assert reply.result(TIMEOUT) == 7
    assert puppet.count().result(TIMEOUT) == 1


def test_back_pressure_without_loss(spawn: Spawn, journal: Journal) -> None:
    puppet = spawn(Puppet, journal.ref, mailbox=Mailbox(1))
    senders = [spawn(Sender) for _ in range(3)]
    replies = [sender.await_many(puppet, "work", 50) for sender in senders]
    assert [reply.result(TIMEOUT) for reply in replies] == [list(range(50))] * 3
    assert puppet.count().result(TIMEOUT) == 150


def test_blocked_senders_are_woken_by_the_actors_death(
    full: Full, gate: Gate, letters: Letters
) -> None:
    puppet = full("block")
    errors: list[Any] = []

    def send() -> None:
        puppet.note.tell("too late")
        errors.append(puppet.work().exception(TIMEOUT))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    puppet.kill()
    for thread in threads:
        thread.join(TIMEOUT)
    assert [type(error).__name__ for error in errors] == ["ActorDeadError"] * 3
    gate.open()
    late = [letter for letter in letters.take(5) if letter.args == ("too late",)]
    assert len(late) == 3


def test_drop_newest(
    full: Full, journal: Journal, gate: Gate, letters: Letters, spawn: Spawn
) -> None:
    # Contract: dropped asks fail with MailboxFullError, dropped tells are dead letters.
    puppet, sender = full("drop_newest"), spawn(Sender)
    puppet.note.tell(2)
    reply = puppet.work()
    with pytest.raises(MailboxFullError):
        reply.result(TIMEOUT)
    assert sender.send(puppet, "note", 3).result(TIMEOUT) == "sent"
    assert isinstance(sender.error_of(puppet, "work").result(TIMEOUT), MailboxFullError)
    gate.open()
    assert journal.take(2) == [0, 1]
    assert puppet.work(1).result(TIMEOUT) == 1
    dead = letters.take(2)
    assert [(each.method, each.args) for each in dead] == [("note", (2,)), ("note", (3,))]
    assert all(letter.ref == puppet for letter in dead)


def test_drop_oldest(full: Full, journal: Journal, gate: Gate, letters: Letters) -> None:
    puppet = full("drop_oldest")
    puppet.note.tell(2)  # drops 0
    asked = puppet.work()  # drops 1
    puppet.note.tell(3)  # drops 2
    puppet.note.tell(4)  # drops the ask
    with pytest.raises(MailboxFullError):
        asked.result(TIMEOUT)
    gate.open()
    assert journal.take(2) == [3, 4]
    assert [letter.args for letter in letters.take(3)] == [(0,), (1,), (2,)]


def test_drop_oldest_for_an_actor(
    full: Full, journal: Journal, gate: Gate, letters: Letters, spawn: Spawn
) -> None:
    puppet, sender = full("drop_oldest"), spawn(Sender)
    assert sender.fill(puppet, "note", 100).result(TIMEOUT) == 100
    asked = sender.await_ask(puppet, "work", "asked")
    letters.take(101)
    gate.open()
    assert asked.result(TIMEOUT) == "asked"
    assert journal.take(1) == [99]


def test_a_mailbox_is_bounded_by_default(system: ActorSystem, journal: Journal, gate: Gate) -> None:
    # Issue: bounded by default; contract: 1024, "block".
    puppet = system.spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    sender = system.spawn(Sender)
    sender.tell_many(puppet, "work", 1024).result(TIMEOUT)
    assert sender.send(puppet, "work").result(TIMEOUT) == "full"
    gate.open()
    assert puppet.count().result(TIMEOUT) == 1024


def test_an_actor_that_fills_its_own_mailbox_does_not_wait_for_itself(
    spawn: Spawn, journal: Journal
) -> None:
    sender = spawn(Sender, mailbox=Mailbox(3))
    with pytest.raises(MailboxFullError):
        sender.fill_own().result(TIMEOUT)
