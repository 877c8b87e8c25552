"""An ask whose actor dies fails at once, wherever it is (issue)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Spawn, WaitEnded
from troupe.senders import Sender

from mojo_seq import ActorDeadError, ActorRef, ActorSystem, Mailbox, MojoError, Result
from mojo_seq.actor.cell import LocalCell

Held = Callable[[], ActorRef[Puppet]]


@pytest.fixture
def held(spawn: Spawn, journal: Journal, gate: Gate) -> Held:
    """Makes an actor that is held at the gate, blocking."""

    def make() -> ActorRef[Puppet]:
        puppet = spawn(Puppet, journal.ref, mailbox=Mailbox(2))
        puppet.hold.tell(gate.ref)
        assert journal.next() == "held"
        return puppet

    return make


def test_the_error(spawn: Spawn, wait_ended: WaitEnded) -> None:
    counter = spawn(Counter, name="the counter")
    counter.stop()
    wait_ended(counter)
    with pytest.raises(ActorDeadError, match="stopped") as caught:
        counter.add(1).result(TIMEOUT)
    assert isinstance(caught.value, MojoError)
    assert caught.value.result is Result.UNAVAILABLE
    assert "the counter" in str(caught.value)


def test_the_error_has_the_failure_as_its_cause(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.fail.tell("the reason")
    wait_ended(puppet)
    error = puppet.work().exception(TIMEOUT)
    assert isinstance(error, ActorDeadError)
    assert isinstance(error.__cause__, LookupError)


def test_an_ask_to_a_dead_actor(spawn: Spawn, wait_ended: WaitEnded) -> None:
    counter = spawn(Counter)
    counter.kill()
    wait_ended(counter)
    reply = counter.add(1)
    assert isinstance(reply.exception(TIMEOUT), ActorDeadError)
    assert isinstance(counter.add_async(1).exception(TIMEOUT), ActorDeadError)


def test_a_queued_ask(held: Held) -> None:
    puppet = held()
    reply = puppet.work()
    puppet.kill()  # the method that holds the actor goes on
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)


def test_the_ask_that_is_being_handled(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    puppet = spawn(Puppet, journal.ref)
    reply = puppet.hold(gate.ref)
    assert journal.next() == "held"
    puppet.kill()
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    gate.open()


def test_one_that_is_answered_while_the_killer_makes_the_error(
    system: ActorSystem, journal: Journal, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is done in Python: the actor may go on meanwhile, to its next message or to none."""
    puppet = system.spawn(Puppet, journal.ref)
    reply = puppet.hold(gate.ref)
    assert journal.next() == "held"
    cell: Any = puppet._target
    make_error = LocalCell._dead_error

    def make_error_late(self: LocalCell) -> ActorDeadError:
        gate.open()
        assert reply.result(TIMEOUT) == "held"
        while cell.current_method() is not None:
            time.sleep(0)  # it is on its way out of the message
        return make_error(self)

    monkeypatch.setattr(LocalCell, "_dead_error", make_error_late)
    puppet.kill()
    assert reply.result() == "held"


def test_an_async_method_that_is_suspended(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    puppet = spawn(Puppet, journal.ref)
    running, queued = puppet.hold_async(gate.ref), puppet.work()
    assert journal.next() == "held"
    puppet.kill()
    for reply in (running, queued):
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)


def test_a_thread_that_waits_for_the_answer(held: Held) -> None:
    puppet = held()
    errors: list[BaseException | None] = []
    reply = puppet.work()
    threads = [
        threading.Thread(target=lambda: errors.append(reply.exception(TIMEOUT))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    puppet.kill()
    for thread in threads:
        thread.join(TIMEOUT)
    assert [type(error) for error in errors] == [ActorDeadError] * 3


def test_an_actor_that_waits_for_the_answer(held: Held, spawn: Spawn) -> None:
    puppet, blocked, awaiting = held(), spawn(Sender), spawn(Sender)
    replies = [blocked.ask_it(puppet, "work"), awaiting.await_ask(puppet, "work")]
    puppet.kill()
    for reply in replies:
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)


def test_an_ask_that_waits_for_room(held: Held, spawn: Spawn) -> None:
    puppet, sender = held(), spawn(Sender)
    for _ in range(2):
        puppet.work.tell()
    reply = sender.await_ask(puppet, "work")
    assert not reply.done()
    puppet.kill()
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)


def test_an_asyncio_coroutine_that_awaits_the_answer(held: Held) -> None:
    puppet = held()

    async def main() -> None:
        reply = puppet.work()
        waiting = asyncio.ensure_future(asyncio.wait_for(reply, TIMEOUT))
        await asyncio.sleep(0)
        puppet.kill()
        with pytest.raises(ActorDeadError):
            await waiting

    asyncio.run(main())


@pytest.mark.parametrize("method", ["fail", "fail_async"])
def test_a_failure_refuses_what_is_queued(
    spawn: Spawn, journal: Journal, gate: Gate, method: str
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    puppet.tell(method)
    replies = [puppet.work() for _ in range(5)]
    gate.open()
    for reply in replies:
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)


def test_the_systems_end_leaves_no_ask_open(
    spawn: Spawn, system: ActorSystem, journal: Journal
) -> None:
    counters = [spawn(Counter) for _ in range(3)]
    replies = [counter.add() for counter in counters for _ in range(100)]
    system.shutdown(TIMEOUT)
    for reply in replies:
        assert reply.done()
        assert reply.exception() is None, "what was queued is handled"
    late = counters[0].add()
    assert isinstance(late.exception(TIMEOUT), ActorDeadError)


def test_no_ask_is_forgotten_when_actors_die_at_any_moment(spawn: Spawn) -> None:
    counter = spawn(Counter)
    stop = threading.Event()
    outcomes: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            outcomes.append(current[0].add().exception(TIMEOUT))

    current = [counter]
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(30):
        following = spawn(Counter)
        following.add().result(TIMEOUT)
        old, current[0] = current[0], following
        if number % 2:
            old.kill()
        else:
            old.stop()
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert {type(outcome) for outcome in outcomes} <= {type(None), ActorDeadError}
