"""Monitors: an actor is told of another's end (public contract §11)."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Spawn, WaitEnded
from troupe.lives import Parent
from troupe.watchful import Observer

from mojo_seq import ActorSystem, Down, StopReason, Supervisor


@pytest.mark.parametrize(("end", "kind"), [("stop", "stopped"), ("kill", "killed")])
def test_down_tells_who_and_why(spawn: Spawn, journal: Journal, end: str, kind: str) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    observer.observe(counter).result(TIMEOUT)
    getattr(counter, end)()
    assert journal.next() == ("down", counter, kind)


def test_down_of_a_failure_has_the_error(spawn: Spawn, journal: Journal) -> None:
    observer, puppet = spawn(Observer, journal.ref), spawn(Puppet, journal.ref)
    observer.observe_error(puppet).result(TIMEOUT)
    puppet.fail.tell("the reason")
    assert journal.next() == ("failed", "LookupError", "the reason")


def test_a_dead_actor_gives_down_at_once(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    # Contract: monitoring a dead actor delivers Down at once.
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    counter.kill()
    wait_ended(counter)
    observer.observe(counter).result(TIMEOUT)
    assert journal.next() == ("down", counter, "killed")


def test_down_comes_once(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    observer.observe(counter).result(TIMEOUT)
    counter.stop()
    wait_ended(counter)
    counter.stop()
    counter.kill()
    assert journal.next() == ("down", counter, "stopped")
    observer.work().result(TIMEOUT)
    assert journal.rest() == []


def test_several_monitors_of_one_actor(spawn: Spawn, journal: Journal) -> None:
    counter = spawn(Counter)
    observers = [spawn(Observer, journal.ref) for _ in range(3)]
    for number, observer in enumerate(observers):
        observer.observe(counter, f"first of {number}").result(TIMEOUT)
        observer.observe(counter, f"second of {number}").result(TIMEOUT)
    counter.stop()
    entries = journal.take(6)
    assert sorted(label for label, _, _ in entries) == sorted(
        f"{which} of {number}" for which in ("first", "second") for number in range(3)
    )


def test_one_monitor_of_several_actors(spawn: Spawn, journal: Journal) -> None:
    observer = spawn(Observer, journal.ref)
    counters = [spawn(Counter) for _ in range(5)]
    for counter in counters:
        observer.observe(counter).result(TIMEOUT)
    for counter in counters[::-1]:
        counter.stop()
    assert {ref for _, ref, _ in journal.take(5)} == set(counters)


def test_a_restart_is_no_end(spawn: Spawn, journal: Journal) -> None:
    parent = spawn(Parent, journal.ref, supervisor=Supervisor())
    child = parent.have(Puppet, journal.ref).result(TIMEOUT)
    observer = spawn(Observer, journal.ref)
    observer.observe(child).result(TIMEOUT)
    child.fail.tell()
    assert child.work(1).result(TIMEOUT) == 1
    child.stop()
    entries = journal.take(3)
    assert entries[-1] == ("down", child, "stopped")


def test_unmonitor(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    for label in "abc":
        observer.observe(counter, label).result(TIMEOUT)
    observer.forget(counter).result(TIMEOUT)
    observer.observe(counter, "the last").result(TIMEOUT)
    counter.stop()
    assert journal.next() == ("the last", counter, "stopped")
    observer.forget(counter).result(TIMEOUT)
    assert journal.rest() == []


def test_an_observer_that_ended_is_told_nothing(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    observer.observe(counter).result(TIMEOUT)
    observer.stop()
    wait_ended(observer)
    assert journal.next() == ("", "stopped", "NoneType")
    counter.stop()
    wait_ended(counter)
    assert journal.rest() == []


def test_a_monitor_does_not_hinder_the_end_of_the_system(
    spawn: Spawn, journal: Journal, system: ActorSystem
) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    observer.observe(counter).result(TIMEOUT)
    system.shutdown(TIMEOUT)
    assert ("", "system", "NoneType") in journal.rest()


def test_who_ends_later_is_told_of_the_systems_end(
    spawn_here: Spawn, journal: Journal, system: ActorSystem
) -> None:
    # (Between processes nothing orders the two ends.)
    observer, counter = spawn_here(Observer, journal.ref), spawn_here(Counter)
    observer.observe(counter).result(TIMEOUT)
    system.shutdown(TIMEOUT)
    assert ("down", counter, "system") in journal.rest()


def test_actors_may_monitor_one_another_and_themselves(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    one, other = spawn(Observer, journal.ref, "1"), spawn(Observer, journal.ref, "2")
    one.observe(other, "other").result(TIMEOUT)
    other.observe(one, "one").result(TIMEOUT)
    one.observe(one, "own").result(TIMEOUT)
    one.stop()
    wait_ended(one)
    assert journal.take(2) == [("1", "stopped", "NoneType"), ("one", one, "stopped")]


def test_an_error_for_a_down_is_a_failure(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    # Contract: a failure is an exception in … a callback.
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    observer.observe_and_fail(counter).result(TIMEOUT)
    counter.stop()
    reason = wait_ended(observer)
    assert reason.kind == "failed"
    assert "because of stopped" in str(reason.error)


def test_a_busy_observer_is_told_when_it_is_free(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    observer, counter = spawn(Observer, journal.ref), spawn(Counter)
    observer.observe(counter).result(TIMEOUT)
    observer.hold_async.tell(gate.ref)
    assert journal.next() == "held"
    counter.stop()
    wait_ended(counter)
    assert journal.rest() == []
    gate.open()
    assert journal.next() == ("down", counter, "stopped")


def test_monitoring_over_systems(spawn: Spawn, journal: Journal) -> None:
    observer = spawn(Observer, journal.ref)
    with ActorSystem(1) as other:
        counter = other.spawn(Counter)
        observer.observe_and_ask(counter, Counter.get).result(TIMEOUT)
    assert journal.next() == ("down", counter, "system")


def test_down_is_a_value(spawn: Spawn) -> None:
    counter = spawn(Counter)
    down = Down(counter, StopReason("stopped"))
    assert down == Down(counter, StopReason("stopped"))
    assert (down.ref, down.reason.kind) == (counter, "stopped")
