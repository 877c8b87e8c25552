"""Links: if one actor fails, the other is stopped (public contract §11)."""

from __future__ import annotations

import itertools

import pytest
from troupe import TIMEOUT, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Spawn, WaitEnded
from troupe.lives import Parent
from troupe.watchful import Observer

from mojo_seq import ActorRef, StopReason, Supervisor


def linked_pair(spawn: Spawn, journal: Journal) -> tuple[ActorRef[Observer], ActorRef[Observer]]:
    one, other = spawn(Observer, journal.ref, "one"), spawn(Observer, journal.ref, "other")
    one.link_to(other).result(TIMEOUT)
    return one, other


def test_the_failure_of_the_linked_one_stops_the_linker(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    one, other = linked_pair(spawn, journal)
    other.fail.tell("the reason")
    reason = wait_ended(one)
    assert reason.kind == "linked"
    assert isinstance(reason.error, LookupError)
    assert set(journal.take(2)) == {
        ("other", "failed", "LookupError"),
        ("one", "linked", "LookupError"),
    }


def test_the_failure_of_the_linker_stops_the_linked_one(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    one, other = linked_pair(spawn, journal)
    one.fail.tell()
    assert wait_ended(other).kind == "linked"
    assert wait_ended(one).kind == "failed"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_end_that_is_no_failure_does_not_spread(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, end: str
) -> None:
    one, other = linked_pair(spawn, journal)
    getattr(other, end)()
    wait_ended(other)
    assert one.work(1).result(TIMEOUT) == 1
    assert one.is_alive


def test_failures_spread_along_links(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    row = [spawn(Observer, journal.ref, str(number)) for number in range(6)]
    for left, right in itertools.pairwise(row):
        left.link_to(right).result(TIMEOUT)
    row[3].fail.tell()
    kinds = [wait_ended(each).kind for each in row]
    assert kinds == ["linked", "linked", "linked", "failed", "linked", "linked"]


def test_a_ring_of_links_ends(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    ring = [spawn(Observer, journal.ref, str(number)) for number in range(4)]
    for left, right in zip(ring, ring[1:] + ring[:1], strict=True):
        left.link_to(right).result(TIMEOUT)
    ring[0].fail.tell()
    assert [wait_ended(each).kind for each in ring] == ["failed", "linked", "linked", "linked"]


def test_linking_to_one_that_has_failed_stops_the_linker(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    one, puppet = spawn(Observer, journal.ref, "one"), spawn(Puppet, journal.ref)
    puppet.fail.tell()
    wait_ended(puppet)
    one.link_to.tell(puppet)
    assert wait_ended(one).kind == "linked"


def test_linking_to_one_that_was_stopped_does_nothing(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    one, counter = spawn(Observer, journal.ref, "one"), spawn(Counter)
    counter.stop()
    wait_ended(counter)
    one.link_to(counter).result(TIMEOUT)
    assert one.work(1).result(TIMEOUT) == 1


def test_linking_to_itself_does_nothing(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    one = spawn(Observer, journal.ref, "one")
    one.link_to(one).result(TIMEOUT)
    one.fail.tell()
    assert wait_ended(one).kind == "failed"


def test_linking_twice_is_one_link(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    one, other = linked_pair(spawn, journal)
    other.link_to(one, one).result(TIMEOUT)
    one.fail.tell()
    assert wait_ended(other).kind == "linked"
    assert len(journal.take(2)) == 2
    assert journal.rest() == []


def test_a_restarted_actor_has_not_failed_for_its_links(spawn: Spawn, journal: Journal) -> None:
    # A failure that the supervisor answers is no end.
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor())
    child = parent.have(Puppet, journal.ref).result(TIMEOUT)
    one = spawn(Observer, journal.ref, "one")
    one.link_to(child).result(TIMEOUT)
    child.fail.tell()
    assert child.work(1).result(TIMEOUT) == 1
    assert one.work(2).result(TIMEOUT) == 2


def test_monitors_see_linked(spawn: Spawn, journal: Journal) -> None:
    one, other = linked_pair(spawn, journal)
    observer = spawn(Observer, journal.ref)
    observer.observe(one).result(TIMEOUT)
    other.fail.tell()
    assert ("down", one, "linked") in journal.take(3)


def test_linked_is_a_reason() -> None:
    error = LookupError()
    assert StopReason("linked", error).error is error
