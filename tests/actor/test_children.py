"""Children end before their parent, the last one first (public contract §11)."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Place, Spawn, WaitEnded
from troupe.lives import Life, Parent, Stubborn

from mojo_seq import ActorDeadError, ActorSystem


def ends(journal: Journal) -> list[tuple[str, str]]:
    """The ends of those that have ended, in order."""
    return [
        (label, step)
        for label, step in journal.rest()
        if step in ("stopped", "killed", "failed", "linked", "system")
    ]


def test_children_stop_in_reverse_order_before_the_parent(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    parent.have_lives("a", "b", "c").result(TIMEOUT)
    parent.stop()
    assert wait_ended(parent).kind == "stopped"
    assert ends(journal) == [(label, "stopped") for label in "cbap"]


def test_grandchildren_end_before_children(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    top = spawn(Parent, journal.ref, "top")
    middle = top.have(Parent, journal.ref, "middle").result(TIMEOUT)
    middle.have_lives("a", "b").result(TIMEOUT)
    top.stop()
    wait_ended(top)
    assert [label for label, _ in ends(journal)] == ["b", "a", "middle", "top"]


def test_killing_a_parent_kills_its_children(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    children = parent.have_lives("a", "b").result(TIMEOUT)
    for child in children:
        child.tell_label().result(TIMEOUT)
    parent.kill()
    assert wait_ended(parent).kind == "killed"
    assert ends(journal) == [("b", "killed"), ("a", "killed"), ("p", "killed")]
    assert not any(child.is_alive for child in children)


def test_children_handle_what_is_queued_when_the_parent_is_stopped(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    (child,) = parent.have_lives("a").result(TIMEOUT)
    child.hold.tell(gate.ref)
    queued = [child.work(i) for i in range(10)]
    parent.stop()
    gate.open()
    assert [reply.result(TIMEOUT) for reply in queued] == list(range(10))
    wait_ended(parent)


def test_children_end_with_a_parent_that_fails(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    children = parent.have_lives("a", "b").result(TIMEOUT)
    parent.fail.tell()
    assert wait_ended(parent).kind == "failed"
    assert ends(journal) == [("b", "stopped"), ("a", "stopped"), ("p", "failed")]
    assert not any(child.is_alive for child in children)


def test_a_child_that_ended_is_forgotten(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    _, b = parent.have_lives("a", "b").result(TIMEOUT)
    b.stop()
    wait_ended(b)
    assert parent.is_alive
    parent.stop()
    wait_ended(parent)
    assert [label for label, _ in ends(journal)] == ["b", "a", "p"]


def test_children_are_spawned_where_the_parent_says(
    spawn: Spawn, system: ActorSystem, journal: Journal, in_process: bool, placement: Place
) -> None:
    if in_process:
        return  # a pool cannot be handed to a worker
    parent = system.spawn(Parent, journal.ref, "p")
    child = parent.have(Counter, 3, on=placement()).result(TIMEOUT)
    assert child.add(1).result(TIMEOUT) == 4


def test_the_system_ends_all_in_reverse_order(
    spawn: Spawn, journal: Journal, system: ActorSystem
) -> None:
    for label in "abc":
        spawn(Life, journal.ref, label).work().result(TIMEOUT)
    system.shutdown(TIMEOUT)
    assert ends(journal) == [("c", "system"), ("b", "system"), ("a", "system")]


def test_the_systems_end_reaches_grandchildren(
    spawn: Spawn, journal: Journal, system: ActorSystem
) -> None:
    top = spawn(Parent, journal.ref, "top")
    middle = top.have(Parent, journal.ref, "middle").result(TIMEOUT)
    middle.have_lives("leaf").result(TIMEOUT)
    system.shutdown(TIMEOUT)
    assert ends(journal) == [("leaf", "system"), ("middle", "system"), ("top", "system")]


def test_a_stubborn_child_does_not_hold_its_parent_for_long(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p")
    child = parent.have(Stubborn, journal.ref, "c").result(TIMEOUT)
    reply = child.forever()
    parent.stop()
    wait_ended(parent)
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)


def test_a_child_that_hangs_is_reported_and_given_up(
    system: ActorSystem,
    journal: Journal,
    gate: Gate,
    wait_ended: WaitEnded,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hanging(Puppet):
        stop_timeout = 0.02

    hanging = system.spawn(Hanging, journal.ref)
    reply = hanging.hold(gate.ref)
    assert journal.next() == "held"
    hanging.stop()
    wait_ended(hanging)
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    reports = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert any("Hanging" in report and "hold" in report for report in reports), reports


def test_spawning_while_the_parent_ends_is_refused(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    from troupe.late_parents import LateParent

    parent = spawn(LateParent, journal.ref)
    parent.stop()
    wait_ended(parent)
    assert journal.next() == "ShutdownError"
