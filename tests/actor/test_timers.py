"""call_later: calls that are put off, and gone with their actor (public contract §11)."""

from __future__ import annotations

import itertools
import time

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.fixtures import Spawn, WaitEnded
from troupe.plumbing import Clock

from mojo_seq import ActorSystem


def test_a_timer_calls_its_method(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    clock.later(0.001, "now").result(TIMEOUT)
    assert journal.next() == "now"


def test_an_async_method_may_be_put_off(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    clock.later_async(0.001, "now").result(TIMEOUT)
    assert journal.next() == "now"


def test_timers_fire_in_order(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    due = dict[str, tuple[float, float]]()  # at the earliest, at the latest
    for delay, entry in ((0.06, "c"), (0.0, "a"), (0.03, "b")):
        before = time.monotonic()
        clock.later(delay, entry).result(TIMEOUT)
        due[entry] = before + delay, time.monotonic() + delay
    fired = journal.take(3)
    for earlier, later in itertools.combinations(fired, 2):
        assert not due[later][1] < due[earlier][0], fired


def test_equal_delays_keep_their_order(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    clock.later(0.0, *range(20)).result(TIMEOUT)
    assert journal.take(20) == list(range(20))


def test_a_timer_may_set_the_next(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    clock.tick.tell(0.0, 5)
    assert journal.take(6) == [5, 4, 3, 2, 1, 0]


def test_it_runs_on_the_actors_sequence(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    clock.own_sequence_later.tell()
    assert journal.next() is True


def test_cancel(spawn: Spawn, journal: Journal) -> None:
    clock = spawn(Clock, journal.ref)
    clock.later(3600.0, "never", "never").result(TIMEOUT)
    assert clock.cancel().result(TIMEOUT) == [True, True]
    assert clock.cancel().result(TIMEOUT) == [False, False]
    clock.later(0.0, "now").result(TIMEOUT)
    assert journal.next() == "now"
    assert clock.cancel().result(TIMEOUT) == [False, False, False]


@pytest.mark.parametrize(("end", "kind"), [("stop", "stopped"), ("kill", "killed")])
def test_it_is_gone_with_its_actor(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, end: str, kind: str
) -> None:
    clock = spawn(Clock, journal.ref)
    clock.later(3600.0, *range(100)).result(TIMEOUT)
    getattr(clock, end)()
    assert wait_ended(clock).kind == kind
    assert journal.rest() == []


def test_a_stop_does_not_wait_for_timers(
    spawn: Spawn, journal: Journal, system: ActorSystem
) -> None:
    spawn(Clock, journal.ref).later(3600.0, "never").result(TIMEOUT)
    system.shutdown(TIMEOUT)


def test_an_error_in_a_timer_is_a_failure(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    clock = spawn(Clock, journal.ref)
    clock.later_fail(0.0).result(TIMEOUT)
    reason = wait_ended(clock)
    assert (reason.kind, str(reason.error)) == ("failed", "of a timer")


@pytest.mark.parametrize("method", ["later_then_hold", "later_then_await"])
def test_timers_wait_for_the_method_under_way(
    spawn: Spawn, journal: Journal, gate: Gate, method: str
) -> None:
    clock = spawn(Clock, journal.ref)
    reply = clock.ask(method, 0.0, "timer", gate.ref)
    assert journal.next() == "held"
    assert journal.rest() == []
    gate.open()
    reply.result(TIMEOUT)
    assert journal.next() == "timer"


@pytest.mark.parametrize(
    ("delay", "error"),
    [("1", "TypeError"), (None, "TypeError"), (float("nan"), "InvalidArgumentError")],
)
def test_wrong_delays(spawn: Spawn, journal: Journal, delay: object, error: str) -> None:
    clock = spawn(Clock, journal.ref)
    assert clock.try_later(delay).result(TIMEOUT) == error
    assert clock.try_later(0.0, "no method").result(TIMEOUT) == "TypeError"
    assert clock.work(1).result(TIMEOUT) == 1
