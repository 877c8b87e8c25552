"""One actor at one kind of place, another at another: all pairs (same ref, same semantics)."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Spawn, WaitEnded
from troupe.lives import Parent
from troupe.rings import Link
from troupe.senders import Sender
from troupe.watchful import Observer

from mojo_seq import ActorDeadError, ActorSystem, AskCycleError, Mailbox, Supervisor


def test_asks_and_tells(spawn: Spawn, spawn_there: Spawn, journal: Journal) -> None:
    sender, counter = spawn(Sender), spawn_there(Counter)
    assert sender.ask_it(counter, "add", 1).result(TIMEOUT) == 1
    assert sender.await_ask(counter, "add_async", 1).result(TIMEOUT) == 2
    puppet = spawn_there(Puppet, journal.ref)
    sender.tell_many(puppet, "note", 50).result(TIMEOUT)
    assert journal.take(50) == list(range(50))
    with pytest.raises(LookupError, match="there"):
        sender.await_ask(puppet, "fail", "there").result(TIMEOUT)


def test_back_pressure(spawn: Spawn, spawn_there: Spawn, journal: Journal) -> None:
    sender, puppet = spawn(Sender), spawn_there(Puppet, journal.ref, mailbox=Mailbox(1))
    assert sender.await_many(puppet, "work", 50).result(TIMEOUT) == list(range(50))


@pytest.mark.parametrize("methods", [("ask_along", "await_along"), ("await_along", "ask_along")])
def test_cycles(spawn: Spawn, spawn_there: Spawn, methods: tuple[str, str]) -> None:
    a, b = spawn(Link, "a"), spawn_there(Link, "b")
    for row in ([(b, methods[0]), (a, methods[1])], [(b, methods[1]), (a, methods[0])]):
        with pytest.raises(AskCycleError) as caught:
            a.ask(methods[0], row).result(TIMEOUT)
        assert caught.value.chain[0] == caught.value.chain[-1]
        assert set(caught.value.chain) == {a, b}
    assert a.answer().result(TIMEOUT) == "a"
    assert b.answer().result(TIMEOUT) == "b"


def test_no_cycles(spawn: Spawn, spawn_there: Spawn) -> None:
    a, b = spawn(Link, "a"), spawn_there(Link, "b")
    free = [(b, "ask_along"), (a, "ask_along")]
    assert a.await_along_interleaved(free).result(TIMEOUT) == "a"
    assert a.pass_along(free).result(TIMEOUT) == "a"
    assert a.ask_twice(b).result(TIMEOUT) == ["b", "b"]


@pytest.mark.parametrize(("end", "kind"), [("stop", "stopped"), ("kill", "killed")])
def test_monitors(spawn: Spawn, spawn_there: Spawn, journal: Journal, end: str, kind: str) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn_there(Counter)
    observer.observe(counter).result(TIMEOUT)
    getattr(counter, end)()
    assert journal.next() == ("down", counter, kind)
    observer.observe(counter, "dead").result(TIMEOUT)
    assert journal.next() == ("dead", counter, kind)


def test_links(spawn: Spawn, spawn_there: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    one, other = spawn(Observer, journal.ref, "one"), spawn_there(Observer, journal.ref, "other")
    one.link_to(other).result(TIMEOUT)
    other.fail.tell()
    assert wait_ended(one).kind == "linked"
    three, four = spawn(Observer, journal.ref, "3"), spawn_there(Observer, journal.ref, "4")
    three.link_to(four).result(TIMEOUT)
    three.fail.tell()
    assert wait_ended(four).kind == "linked"


def test_asks_to_one_that_dies(
    spawn: Spawn, spawn_there: Spawn, journal: Journal, gate: Gate
) -> None:
    sender, puppet = spawn(Sender), spawn_there(Puppet, journal.ref)
    replies = [sender.await_ask(puppet, "hold", gate.ref)]
    assert journal.next() == "held"
    blocked = spawn(Sender)
    replies.append(blocked.ask_it(puppet, "work"))
    puppet.kill()
    for reply in replies:
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)


def test_restarts(spawn: Spawn, spawn_there: Spawn, journal: Journal) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor())
    child = parent.have(Puppet, journal.ref).result(TIMEOUT)
    sender = spawn_there(Sender)
    assert sender.ask_it(child, "work", 1).result(TIMEOUT) == 1
    child.fail.tell()
    assert sender.ask_it(child, "work", 2).result(TIMEOUT) == 2
    assert child.count().result(TIMEOUT) == 1


def test_the_systems_end(
    spawn: Spawn, spawn_there: Spawn, journal: Journal, system: ActorSystem
) -> None:
    sender, counter = spawn(Sender), spawn_there(Counter)
    assert sender.ask_it(counter, "add", 1).result(TIMEOUT) == 1
    system.shutdown(TIMEOUT)
    assert not sender.is_alive
    assert not counter.is_alive
