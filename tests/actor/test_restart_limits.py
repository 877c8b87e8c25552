"""How often a supervisor restarts, and what happens then (public contract §11)."""

from __future__ import annotations

from typing import Any

import pytest
from troupe import TIMEOUT, Journal
from troupe.failures import Family, Fragile, Supervising
from troupe.fixtures import Spawn, WaitEnded
from troupe.lives import Parent

from mojo_seq import ActorDeadError, ActorSystem, Supervisor
from mojo_seq.actor.supervisor import RestartRecord


def test_one_failure_too_many_fails_the_parent(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    supervisor = Supervisor(max_restarts=2, within=3600.0)
    parent = spawn(Parent, journal.ref, "p", supervisor=supervisor)
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    for _ in range(2):
        child.fail.tell()
        assert child.work(1).result(TIMEOUT) == 1
    child.fail.tell("the last straw")
    reason = wait_ended(parent)
    assert reason.kind == "failed"
    assert "the last straw" in str(reason.error)
    assert not child.is_alive
    with pytest.raises(ActorDeadError):
        child.work().result(TIMEOUT)


def test_no_restarts_at_all(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(max_restarts=0))
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    child.fail.tell()
    assert wait_ended(parent).kind == "failed"


def test_failures_of_all_children_count_together(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    supervisor = Supervisor(max_restarts=3, within=3600.0)
    parent = spawn(Parent, journal.ref, "p", supervisor=supervisor)
    children = [parent.have(Fragile, journal.ref, label).result(TIMEOUT) for label in "abcd"]
    for child in children[:3]:
        child.fail.tell()
        child.work().result(TIMEOUT)
    children[3].fail.tell()
    assert wait_ended(parent).kind == "failed"


def test_escalation_restarts_the_parent(spawn: Spawn, journal: Journal) -> None:
    top = spawn(Supervising, journal.ref, "top")
    family = top.have(
        Family, journal.ref, "f", ["a", "b"], supervisor=Supervisor(max_restarts=0)
    ).result(TIMEOUT)
    old = family.child(0).result(TIMEOUT)
    assert len(journal.take(8)) == 8
    old.fail.tell()
    entries = journal.take(9)
    new = family.child(0).result(TIMEOUT)
    assert [entry for entry in entries if entry[1] in ("stopped", "failed")] == [
        ("b", "stopped"),
        ("a", "failed"),
        ("f", "failed"),
    ]
    assert new != old
    assert new.name == "a"
    assert new.work(1).result(TIMEOUT) == 1
    with pytest.raises(ActorDeadError):
        old.work().result(TIMEOUT)


def test_escalation_goes_up_until_somebody_can_answer(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    give_up = Supervisor(max_restarts=0)
    top = spawn(Parent, journal.ref, "top", supervisor=give_up)
    middle = top.have(Parent, journal.ref, "middle", supervisor=give_up).result(TIMEOUT)
    leaf = middle.have(Fragile, journal.ref, "leaf").result(TIMEOUT)
    leaf.fail.tell("from below")
    reason = wait_ended(top)
    assert reason.kind == "failed"
    assert "from below" in str(reason.error)
    assert not middle.is_alive


def test_at_the_top_the_child_is_stopped(
    journal: Journal, wait_ended: WaitEnded, caplog: pytest.LogCaptureFixture
) -> None:
    with ActorSystem(2, supervisor=Supervisor(max_restarts=1, within=3600.0)) as system:
        fragile = system.spawn(Fragile, journal.ref, "a")
        fragile.fail.tell()
        assert fragile.work(1).result(TIMEOUT) == 1
        fragile.fail.tell()
        assert wait_ended(fragile).kind == "failed"
        assert system.spawn(Fragile, journal.ref, "b").work(1).result(TIMEOUT) == 1
    assert any("too often" in record.getMessage() for record in caplog.records)


def test_asks_wait_during_the_back_off(spawn: Spawn, journal: Journal) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(backoff=0.02))
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    journal.take(4)
    child.fail.tell()
    assert journal.next() == ("a", "failed")
    assert child.is_alive
    assert child.work(1).result(TIMEOUT) == 1
    assert journal.take(2) == [("a", "init"), ("a", "start")]


@pytest.mark.parametrize(("end", "kind"), [("stop", "stopped"), ("kill", "killed")])
def test_an_end_during_the_back_off(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, end: str, kind: str
) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(backoff=3600.0))
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    journal.take(4)
    child.fail.tell()
    assert journal.next() == ("a", "failed")
    reply = child.work()
    getattr(child, end)()
    assert wait_ended(child).kind == kind
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    assert journal.rest() == []


def test_the_system_may_end_during_the_back_off(
    spawn: Spawn, journal: Journal, system: ActorSystem
) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(backoff=3600.0))
    child = parent.have(Fragile, journal.ref, "a").result(TIMEOUT)
    child.fail.tell()
    reply = child.work()
    system.shutdown(TIMEOUT)
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)


def test_only_failures_within_the_window_count() -> None:
    record = RestartRecord(Supervisor(max_restarts=2, within=5.0))
    assert [record.note(now) for now in (0.0, 1.0)] == [0.0, 0.0]
    assert record.note(4.9) is None
    record = RestartRecord(Supervisor(max_restarts=2, within=5.0))
    assert [record.note(now) for now in (0.0, 1.0, 5.0, 6.0, 11.0)] == [0.0] * 5
    assert record.note(12.0) == 0.0
    assert record.note(12.5) is None


def test_the_back_off_doubles_with_each_failure_within_the_window() -> None:
    record = RestartRecord(Supervisor(max_restarts=100, within=10.0, backoff=0.5))
    assert [record.note(now) for now in (0.0, 1.0, 2.0, 3.0)] == [0.5, 1.0, 2.0, 4.0]
    assert record.note(100.0) == 0.5
    record = RestartRecord(Supervisor(max_restarts=100, within=10.0, backoff=50.0))
    assert [record.note(now) for now in (0.0, 1.0, 2.0)] == [50.0, 60.0, 60.0]


def test_a_huge_number_of_failures_does_not_overflow() -> None:
    record = RestartRecord(Supervisor(max_restarts=5000, within=1e9, backoff=1e-3))
    assert [record.note(0.0) for _ in range(3000)][-1] == 60.0


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "all_for_one"},
        {"max_restarts": -1},
        {"within": 0},
        {"within": float("nan")},
        {"backoff": -0.1},
        {"backoff": float("inf")},
    ],
)
def test_wrong_supervisors(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Supervisor(**options)


def test_supervisors_are_values() -> None:
    assert Supervisor() == Supervisor("one_for_one", 3, 5.0, 0.0)
    assert hash(Supervisor()) == hash(Supervisor())
    with pytest.raises(AttributeError):
        Supervisor().max_restarts = 4  # type: ignore[misc]
