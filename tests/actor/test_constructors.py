"""A constructor or on_start that raises fails the ref and its supervisor; nothing hangs."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Journal
from troupe.failures import BadInit, BadStart, BadStartAsync, Supervising
from troupe.fixtures import Spawn, WaitEnded
from troupe.letters import Letters
from troupe.lives import Parent
from troupe.watchful import Observer

from mojo_seq import ActorDeadError, ActorSystem, Supervisor


def test_spawn_returns_a_ref_whose_asks_fail(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, caplog: pytest.LogCaptureFixture
) -> None:
    bad = spawn(BadInit, journal.ref, "the reason")
    early = bad.work()
    with pytest.raises(ActorDeadError) as caught:
        early.result(TIMEOUT)
    assert wait_ended(bad).kind == "failed"
    with pytest.raises(ActorDeadError) as late:
        bad.work().result(TIMEOUT)
    for error in (caught, late):
        assert isinstance(error.value.__cause__, LookupError)
        assert str(error.value.__cause__) == "the reason"
    assert not bad.is_alive
    assert any(
        "__init__" in each.getMessage() or "construct" in each.getMessage()
        for each in caplog.records
    )


def test_tells_to_it_are_dead_letters(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, letters: Letters
) -> None:
    bad = spawn(BadInit, journal.ref)
    wait_ended(bad)
    bad.work.tell()
    assert [letter.ref for letter in letters] == [bad]


def test_wrong_constructor_arguments_fail_it_too(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    bad = spawn(BadInit, journal.ref, 1, 2, 3)
    reason = wait_ended(bad)
    assert (reason.kind, type(reason.error)) == ("failed", TypeError)


def test_monitors_and_links_of_it(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    bad = spawn(BadInit, journal.ref, "the reason")
    assert journal.next() == "init"
    observer = spawn(Observer, journal.ref, "o")
    observer.observe_error(bad).result(TIMEOUT)
    assert journal.next() == ("failed", "LookupError", "the reason")
    observer.link_to.tell(bad)
    assert wait_ended(observer).kind == "linked"


def test_the_supervisor_tries_and_gives_up(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor(max_restarts=2, within=3600.0))
    journal.take(2)
    bad = parent.have(BadInit, journal.ref, "the reason").result(TIMEOUT)
    reply = bad.work()
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    reason = wait_ended(parent)
    assert reason.kind == "failed"
    assert str(reason.error) == "the reason"
    assert journal.take(4) == ["init"] * 3 + [("p", "failed")]


@pytest.mark.parametrize("actor_class", [BadStart, BadStartAsync])
def test_on_start_that_raises(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, actor_class: type[BadStart]
) -> None:
    bad = spawn(actor_class, journal.ref, "a")
    with pytest.raises(ActorDeadError):
        bad.work().result(TIMEOUT)
    reason = wait_ended(bad)
    assert (reason.kind, str(reason.error)) == ("failed", "in on_start")
    assert journal.take(2) == [("a", "init"), ("a", "start")]


@pytest.mark.parametrize("actor_class", [BadStart, BadStartAsync])
def test_on_start_that_raises_is_answered_by_the_supervisor(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, actor_class: type[BadStart]
) -> None:
    parent = spawn(Supervising, journal.ref, "p", supervisor=Supervisor(max_restarts=1))
    parent.have(actor_class, journal.ref, "a").result(TIMEOUT)
    assert wait_ended(parent).kind == "failed"
    entries = journal.rest()
    assert entries.count(("a", "start")) == 2


def test_many_bad_constructors_leave_nothing(
    spawn: Spawn, journal: Journal, system: ActorSystem
) -> None:
    replies = [spawn(BadInit, journal.ref).work() for _ in range(20)]
    for reply in replies:
        assert isinstance(reply.exception(TIMEOUT), ActorDeadError)


def test_the_name_of_one_that_could_not_be_made_is_free(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    bad = spawn(BadInit, journal.ref, name="the one")
    wait_ended(bad)
    assert spawn(Parent, journal.ref, name="the one").work(1).result(TIMEOUT) == 1
