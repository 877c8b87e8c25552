"""Supervision: who is restarted, and what a restart keeps (public contract §11)."""

from __future__ import annotations

from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Puppet
from troupe.failures import BadTwice, Fragile, Supervising
from troupe.fixtures import Spawn, WaitEnded
from troupe.lives import Life, Parent

from mojo_seq import ActorRef, ActorSystem, Supervisor


def family(
    spawn: Spawn, journal: Journal, strategy: str, *labels: str
) -> tuple[ActorRef[Parent], list[ActorRef[Life]]]:
    """A supervising parent and its children, that have all started."""
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(strategy))
    children = parent.have_lives(*labels).result(TIMEOUT)
    journal.take(2 + 2 * len(labels))
    return parent, children


def started(*labels: str) -> set[tuple[str, str]]:
    return {(label, step) for label in labels for step in ("init", "start")}


def test_one_for_one_restarts_the_one_that_failed(spawn: Spawn, journal: Journal) -> None:
    _, (a, b, c) = family(spawn, journal, "one_for_one", *"abc")
    b.fail.tell()
    assert journal.take(3) == [("b", "failed"), ("b", "init"), ("b", "start")]
    for child in (a, b, c):
        child.work().result(TIMEOUT)
    assert journal.rest() == []


def test_one_for_all_restarts_all(spawn: Spawn, journal: Journal) -> None:
    _, (a, b, c) = family(spawn, journal, "one_for_all", *"abc")
    b.fail.tell()
    assert journal.take(3) == [("c", "stopped"), ("b", "failed"), ("a", "stopped")]
    assert set(journal.take(6)) == started("a", "b", "c")
    for child in (a, b, c):
        assert child.work(1).result(TIMEOUT) == 1


def test_rest_for_one_restarts_it_and_those_after_it(spawn: Spawn, journal: Journal) -> None:
    _, (a, b, c) = family(spawn, journal, "rest_for_one", *"abc")
    b.fail.tell()
    assert journal.take(2) == [("c", "stopped"), ("b", "failed")]
    assert set(journal.take(4)) == started("b", "c")
    for child in (a, b, c):
        assert child.work(1).result(TIMEOUT) == 1
    assert journal.rest() == []


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_an_only_child(spawn: Spawn, journal: Journal, strategy: str) -> None:
    _, (child,) = family(spawn, journal, strategy, "a")
    child.fail.tell()
    assert child.work(1).result(TIMEOUT) == 1
    assert journal.take(3) == [("a", "failed"), ("a", "init"), ("a", "start")]


def test_a_restarted_actor_keeps_its_ref_and_its_name(spawn: Spawn, journal: Journal) -> None:
    _, (child,) = family(spawn, journal, "one_for_one", "a")
    before = hash(child)
    child.fail.tell()
    assert child.work(1).result(TIMEOUT) == 1
    assert (hash(child), child.name, child.is_alive) == (before, "a", True)
    assert child.own_ref().result(TIMEOUT) == child


def test_a_restarted_actor_is_a_new_object(spawn: Spawn, journal: Journal) -> None:
    _, (child,) = family(spawn, journal, "one_for_one", "a")
    for _ in range(3):
        child.work().result(TIMEOUT)
    assert child.count().result(TIMEOUT) == 3
    child.fail.tell()
    assert child.count().result(TIMEOUT) == 0


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_restarted_actors_keep_their_mailboxes(
    spawn: Spawn, journal: Journal, gate: Gate, strategy: str
) -> None:
    _, (a, b) = family(spawn, journal, strategy, "a", "b")
    for child in (a, b):
        child.hold.tell(gate.ref)
        assert journal.next() == "held"
    replies = [a.work()]
    a.fail.tell()
    for child in (a, b):
        for i in range(20):
            child.note.tell((child.name, i))
        replies.append(child.work(child.name))
    gate.open()
    assert [reply.result(TIMEOUT) for reply in replies] == [None, "a", "b"]
    entries = journal.rest()
    for name in "ab":
        assert [e for e in entries if e[0] == name and isinstance(e[1], int)] == [
            (name, i) for i in range(20)
        ]


def test_asks_sent_during_a_restart_are_answered(spawn: Spawn, journal: Journal) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(max_restarts=1000))
    (child,) = parent.have_lives("a").result(TIMEOUT)
    replies = []
    for i in range(100):
        child.fail.tell()
        replies.append(child.work(i))
    assert [reply.result(TIMEOUT) for reply in replies] == list(range(100))


@pytest.mark.parametrize("method", ["fail", "fail_async", "in_timer", "in_callback_async"])
def test_every_failure_is_answered(spawn: Spawn, journal: Journal, method: str) -> None:
    # Contract: an exception in a told message, __init__, on_start or a callback.
    parent = spawn(Supervising, journal.ref, "p")
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    journal.take(4)
    child.tell(method)
    assert journal.take(3) == [("a", "failed"), ("a", "init"), ("a", "start")]
    assert child.work(1).result(TIMEOUT) == 1


def test_an_asked_methods_exception_restarts_nobody(spawn: Spawn, journal: Journal) -> None:
    _, (child,) = family(spawn, journal, "one_for_all", "a")
    for _ in range(10):
        assert isinstance(child.fail().exception(TIMEOUT), LookupError)
    assert journal.rest() == []


def test_a_constructor_that_fails_at_first(spawn: Spawn, journal: Journal) -> None:
    from troupe.basic import Counter

    counter = spawn(Counter)
    parent = spawn(Supervising, journal.ref, "p")
    child = parent.have(BadTwice, journal.ref, "a", counter).result(TIMEOUT)
    assert child.work(1).result(TIMEOUT) == 1
    assert counter.get().result(TIMEOUT) == 3


def test_children_of_a_restarted_actor_end(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    top = spawn(Supervising, journal.ref, "top")
    middle = top.have(Parent, journal.ref, "middle").result(TIMEOUT)
    (leaf,) = middle.have_lives("leaf").result(TIMEOUT)
    middle.fail.tell()
    assert wait_ended(leaf).kind == "stopped"
    assert middle.work(1).result(TIMEOUT) == 1
    assert journal.rest()[6:] == [
        ("leaf", "stopped"),
        ("middle", "failed"),
        ("middle", "init"),
        ("middle", "start"),
    ]


def test_the_system_supervises_actors_without_a_parent(journal: Journal, caplog: Any) -> None:
    with ActorSystem(2, supervisor=Supervisor("one_for_all")) as system:
        one, other = (system.spawn(Puppet, journal.ref, label) for label in "ab")
        other.work().result(TIMEOUT)
        one.fail.tell()
        assert one.work(1).result(TIMEOUT) == 1
        assert other.count().result(TIMEOUT) == 0
    assert any("restarted" in record.getMessage() for record in caplog.records)


def test_a_spawn_argument_wins_over_the_class(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Supervising, journal.ref, "p", supervisor=Supervisor(max_restarts=0))
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    child.fail.tell()
    assert wait_ended(parent).kind == "failed"
    assert not child.is_alive


def test_without_a_supervisor_nobody_else_is_concerned(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    a, b = parent.have_lives("a", "b").result(TIMEOUT)
    a.fail.tell()
    assert wait_ended(a).kind == "failed"
    assert b.work(1).result(TIMEOUT) == 1
    assert parent.work(2).result(TIMEOUT) == 2


def test_stopped_and_killed_children_are_not_restarted(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    _, (a, b, c) = family(spawn, journal, "one_for_all", *"abc")
    a.stop()
    b.kill()
    wait_ended(a)
    wait_ended(b)
    assert sorted(journal.take(2)) == [("a", "stopped"), ("b", "killed")]
    c.fail.tell()
    assert c.work(1).result(TIMEOUT) == 1
    assert not a.is_alive
    assert not b.is_alive
    assert journal.take(3) == [("c", "failed"), ("c", "init"), ("c", "start")]
