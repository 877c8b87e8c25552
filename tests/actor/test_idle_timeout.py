"""set_idle_timeout: noticing that no message comes (issue: idle timeout)."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Journal
from troupe.fixtures import Spawn, WaitEnded
from troupe.watchful import Idler


def test_the_method_is_called_again_and_again(spawn: Spawn, journal: Journal) -> None:
    idler = spawn(Idler, journal.ref)
    idler.notice(0.01).result(TIMEOUT)
    assert journal.take(3) == ["idle"] * 3
    assert idler.is_alive


def test_without_a_method_the_actor_stops(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    idler = spawn(Idler, journal.ref)
    idler.end_when_idle(0.01).result(TIMEOUT)
    assert wait_ended(idler).kind == "stopped"
    assert journal.next() == "stopped"


def test_none_ends_it(spawn: Spawn, journal: Journal) -> None:
    idler = spawn(Idler, journal.ref)
    idler.notice(0.005).result(TIMEOUT)
    assert journal.next() == "idle"
    idler.notice(None).result(TIMEOUT)
    journal.rest()
    # A second timer of the same actor comes after any that was still to come.
    idler.note("before").result(TIMEOUT)
    idler.later(0.05, "after").result(TIMEOUT)
    assert journal.take(2) == ["before", "after"]


def test_messages_keep_it_from_being_called(spawn: Spawn, journal: Journal) -> None:
    idler = spawn(Idler, journal.ref)
    idler.notice(3600.0).result(TIMEOUT)
    for i in range(100):
        idler.work(i).result(TIMEOUT)
    assert journal.rest() == []


def test_a_new_one_replaces_the_old_one(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    idler = spawn(Idler, journal.ref)
    idler.end_when_idle(3600.0).result(TIMEOUT)
    idler.notice(0.01).result(TIMEOUT)
    assert journal.take(2) == ["idle"] * 2
    idler.end_when_idle(0.01).result(TIMEOUT)
    assert wait_ended(idler).kind == "stopped"
    assert journal.take(1)[-1] in ("idle", "stopped")


def test_it_is_gone_with_the_actor(spawn: Spawn, journal: Journal, wait_ended: WaitEnded) -> None:
    idler = spawn(Idler, journal.ref)
    idler.notice(3600.0).result(TIMEOUT)
    idler.stop()
    wait_ended(idler)
    assert journal.take(1) == ["stopped"]


@pytest.mark.parametrize(
    ("seconds", "error"),
    [(0, "ValueError"), (-1.0, "ValueError"), (float("nan"), "ValueError"), ("1", "TypeError")],
)
def test_wrong_times(spawn: Spawn, journal: Journal, seconds: object, error: str) -> None:
    idler = spawn(Idler, journal.ref)
    assert idler.try_timeout(seconds).result(TIMEOUT) == error
