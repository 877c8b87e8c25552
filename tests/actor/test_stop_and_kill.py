"""stop() ends after what is queued, kill() now (public contract §11)."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Puppet
from troupe.fixtures import Gates, Spawn, WaitEnded
from troupe.letters import Letters
from troupe.lives import HeldUp, Lasting, Life, Stubborn
from troupe.records import RecordAwaiter

from mojo_seq import ActorDeadError, ActorSystem


def test_stop_handles_what_is_queued(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    life = spawn(Life, journal.ref, "a")
    held = life.hold(gate.ref)
    assert journal.take(3)[-1] == "held"
    queued = [life.work(i) for i in range(50)]
    life.tell_label.tell()
    life.stop()
    gate.open()
    assert held.result(TIMEOUT) == "held"
    assert [reply.result(TIMEOUT) for reply in queued] == list(range(50))
    assert wait_ended(life).kind == "stopped"
    assert journal.take(2) == [("a", "told"), ("a", "stopped")]


@pytest.mark.parametrize("count", [0, 1, 14, 15, 16, 31, 62, 63, 64, 65, 127, 128, 200])
def test_stop_handles_any_number(
    spawn: Spawn,
    journal: Journal,
    gate: Gate,
    wait_ended: WaitEnded,
    caplog: pytest.LogCaptureFixture,
    count: int,
) -> None:
    # However many an actor handles in one go, the stop is not forgotten behind the last one.
    puppet = spawn(Puppet, journal.ref)
    held = puppet.hold(gate.ref)
    assert journal.next() == "held"
    for _ in range(count):
        puppet.work.tell()
    puppet.stop()
    gate.open()
    held.result(TIMEOUT)
    assert wait_ended(puppet).kind == "stopped"
    assert caplog.records == [], "its time was not up"


def test_stop_handles_queued_async_messages(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    puppet = spawn(Puppet, journal.ref)
    held = [puppet.hold_async(gate.ref, i) for i in range(3)]
    assert journal.next() == 0
    puppet.stop()
    gate.open()
    assert [reply.result(TIMEOUT) for reply in held] == [0, 1, 2]
    assert wait_ended(puppet).kind == "stopped"


def test_what_comes_after_stop_is_refused(
    spawn: Spawn, journal: Journal, gate: Gate, letters: Letters, wait_ended: WaitEnded
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    puppet.stop()
    late = puppet.work(1)
    puppet.work.tell(2)
    with pytest.raises(ActorDeadError):
        late.result(TIMEOUT)
    gate.open()
    wait_ended(puppet)
    assert [(letter.ref, letter.args) for letter in letters.take(1)] == [(puppet, (2,))]


def test_kill_refuses_what_is_queued_at_once(
    spawn: Spawn, journal: Journal, gate: Gate, letters: Letters, wait_ended: WaitEnded
) -> None:
    puppet = spawn(Puppet, journal.ref)
    held = puppet.hold(gate.ref)
    assert journal.next() == "held"
    queued = [puppet.work(i) for i in range(5)]
    puppet.note.tell("never")
    puppet.kill()
    for reply in [held, *queued]:
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)
    gate.open()
    assert wait_ended(puppet).kind == "killed"
    assert journal.rest() == []
    assert [(letter.method, letter.args) for letter in letters.take(1)] == [("note", ("never",))]


def test_kill_overtakes_stop(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    queued = puppet.work()
    puppet.stop()
    puppet.kill()
    with pytest.raises(ActorDeadError):
        queued.result(TIMEOUT)
    gate.open()
    assert wait_ended(puppet).kind == "killed"


def test_kill_cancels_an_async_method(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    life = spawn(Lasting, journal.ref, "a")
    reply = life.forever()
    assert journal.take(3)[-1] == ("a", "forever")
    life.kill()
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    assert wait_ended(life).kind == "killed"
    assert journal.take(2) == [("a", "cancelled"), ("a", "killed")]


def test_a_stop_that_takes_too_long_becomes_a_kill(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    # Contract: with time limits. The class says how long it may take.
    life = spawn(Stubborn, journal.ref, "a")
    reply = life.forever()
    queued = life.work()
    assert journal.take(3)[-1] == ("a", "forever")
    with RecordAwaiter("Stubborn") as record:
        life.stop()
        for each in (reply, queued):
            with pytest.raises(ActorDeadError):
                each.result(TIMEOUT)
        wait_ended(life)
        assert journal.next() == ("a", "cancelled")
        assert record.wait(TIMEOUT)


def test_an_actor_that_ends_is_replaced_under_its_name(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    first = spawn(Life, journal.ref, "first", name="the one")
    first.stop()
    wait_ended(first)
    second = spawn(Life, journal.ref, "second", name="the one")
    assert second != first
    assert second.work(1).result(TIMEOUT) == 1
    with pytest.raises(ActorDeadError):
        first.work(1).result(TIMEOUT)


def test_stop_and_kill_before_it_has_started(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    stopped, killed = spawn(Life, journal.ref, "s"), spawn(Life, journal.ref, "k")
    stopped.stop()
    killed.kill()
    assert wait_ended(stopped).kind == "stopped"
    assert wait_ended(killed).kind == "killed"
    steps = journal.rest()
    assert [step for label, step in steps if label == "s"] == ["init", "start", "stopped"]
    # It may have been killed before it was made at all; but never half.
    assert [step for label, step in steps if label == "k"] in ([], ["init", "start", "killed"])


def test_asks_during_on_stop_are_refused(
    spawn: Spawn, journal: Journal, gates: Gates, wait_ended: WaitEnded
) -> None:
    gate = gates()
    life = spawn(HeldUp, journal.ref, "a", gate.ref)
    life.stop()
    assert journal.take(3)[-1] == ("a", "stopping")
    with pytest.raises(ActorDeadError):
        life.work().result(TIMEOUT)
    gate.open()
    wait_ended(life)
    assert journal.next() == ("a", "stopped")


def test_what_is_given_up_lets_go_of_its_loop_when_it_ends_after_all(
    system: ActorSystem, journal: Journal, wait_ended: WaitEnded
) -> None:
    loops = []
    may_end = asyncio.Event()

    class Refusing(Puppet):
        stop_timeout = 0.02

        async def refuse(self) -> None:
            loops.append(asyncio.get_running_loop())
            self.note("begun")
            while not may_end.is_set():
                with suppress(asyncio.CancelledError):
                    await may_end.wait()

    refusing = system.spawn(Refusing, journal.ref)
    reply = refusing.refuse()
    assert journal.next() == "begun"
    with RecordAwaiter("given up") as record:
        refusing.kill()
        assert record.wait(TIMEOUT)
    wait_ended(refusing)
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    (loop,) = loops
    assert not loop.is_closed()
    loop.call_soon_threadsafe(may_end.set)
    deadline = time.monotonic() + TIMEOUT
    while not loop.is_closed():
        assert time.monotonic() < deadline
        time.sleep(0.001)
