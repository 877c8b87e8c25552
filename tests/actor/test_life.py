"""The life of an actor: on_start, its messages, on_stop and the reasons (public contract §11)."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from troupe import TIMEOUT, Journal
from troupe.fixtures import Spawn, WaitEnded
from troupe.lives import AsyncLife, ErrorKeeper, Life, RaisingStop, SelfStopper

from mojo_seq import ActorDeadError, ActorSystem, StopReason


def test_spawning_starts_it_without_being_asked(spawn: Spawn, journal: Journal) -> None:
    spawn(Life, journal.ref, "a")
    assert journal.take(2) == [("a", "init"), ("a", "start")]


def test_messages_come_after_on_start(spawn: Spawn, journal: Journal) -> None:
    life = spawn(Life, journal.ref, "a")
    life.tell_label().result(TIMEOUT)
    assert journal.take(3) == [("a", "init"), ("a", "start"), ("a", "told")]


def test_messages_wait_for_an_async_on_start(spawn: Spawn, journal: Journal) -> None:
    life = spawn(AsyncLife, journal.ref, "a")
    life.note("a message").result(TIMEOUT)
    assert journal.take(3) == [("a", "starting"), ("a", "started"), "a message"]


def test_stop_gives_stopped(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    life = spawn(Life, journal.ref, "a")
    life.stop()
    assert wait_ended(life) == StopReason("stopped")
    assert journal.take(3)[-1] == ("a", "stopped")
    assert journal.rest() == []


def test_kill_gives_killed(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    life = spawn(Life, journal.ref, "a")
    assert journal.take(2)[-1] == ("a", "start")
    life.kill()
    assert wait_ended(life) == StopReason("killed")
    assert journal.next() == ("a", "killed")


def test_a_failure_gives_failed_and_the_error(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    keeper = spawn(ErrorKeeper, journal.ref)
    keeper.fail.tell("the reason")
    reason = wait_ended(keeper)
    assert (reason.kind, type(reason.error)) == ("failed", LookupError)
    assert journal.next() == ("failed", "LookupError", "the reason")


def test_the_systems_end_gives_system(spawn: Spawn, journal: Journal, system: ActorSystem) -> None:
    life = spawn(Life, journal.ref, "a")
    system.shutdown(TIMEOUT)
    assert not life.is_alive
    assert journal.take(3) == [("a", "init"), ("a", "start"), ("a", "system")]


def test_on_stop_may_be_async(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    life = spawn(AsyncLife, journal.ref, "a")
    life.stop()
    assert wait_ended(life).kind == "stopped"
    assert [step for _, step in journal.take(4)] == ["starting", "started", "stopping", "stopped"]


def test_on_stop_may_be_async_when_killed(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    life = spawn(AsyncLife, journal.ref, "a")
    life.note("here").result(TIMEOUT)
    assert journal.take(3)[-1] == "here"
    life.kill()
    assert wait_ended(life).kind == "killed"
    assert journal.take(2) == [("a", "stopping"), ("a", "killed")]


def test_an_error_in_on_stop_is_logged_and_ends_it_all_the_same(
    spawn: Spawn,
    journal: Journal,
    wait_ended: WaitEnded,
    logged_error: Callable[[], logging.LogRecord],
) -> None:
    life = spawn(RaisingStop, journal.ref, "a")
    life.stop()
    assert wait_ended(life).kind == "stopped"
    assert journal.take(3)[-1] == ("a", "stopped")
    assert "on_stop" in logged_error().getMessage()


def test_stop_twice_is_one_stop(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    life = spawn(Life, journal.ref, "a")
    for _ in range(3):
        life.stop()
    wait_ended(life)
    life.stop()
    life.kill()
    assert wait_ended(life) == StopReason("stopped")
    assert journal.take(3)[-1] == ("a", "stopped")
    assert journal.rest() == []


def test_an_actor_may_stop_itself(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    life = spawn(SelfStopper, journal.ref, "a")
    assert life.stop_now().result(TIMEOUT) == "after stop"
    assert wait_ended(life).kind == "stopped"
    assert journal.take(3)[-1] == ("a", "stopped")


def test_an_actor_may_kill_itself(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    life = spawn(SelfStopper, journal.ref, "a")
    with pytest.raises(ActorDeadError):
        life.kill_now().result(TIMEOUT)
    assert wait_ended(life).kind == "killed"
    assert journal.take(3)[-1] == ("a", "killed")


def test_a_stopping_actor_is_alive_until_its_end(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    life = spawn(Life, journal.ref, "a")
    assert life.is_alive
    life.stop()
    wait_ended(life)
    assert not life.is_alive


def test_the_reason_is_a_value() -> None:
    reason = StopReason("stopped")
    assert reason.kind == "stopped"
    assert reason.error is None
    assert reason == StopReason("stopped", None)
