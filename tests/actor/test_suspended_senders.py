"""Awaiting an ask to a full mailbox suspends the coroutine (public contract §11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import trio
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Puppet
from troupe.fixtures import Spawn

from mojo_seq import ActorDeadError, ActorRef, Mailbox, MailboxFullError

Full = Callable[[], ActorRef[Puppet]]


@pytest.fixture
def full(spawn: Spawn, journal: Journal, gate: Gate) -> Full:
    """Makes an actor that is held at the gate, and whose mailbox has no room."""

    def make() -> ActorRef[Puppet]:
        puppet = spawn(Puppet, journal.ref, mailbox=Mailbox(1))
        puppet.hold.tell(gate.ref)
        assert journal.next() == "held"
        puppet.work.tell()
        return puppet

    return make


def test_under_asyncio(full: Full, gate: Gate) -> None:
    puppet = full()

    async def main() -> list[Any]:
        asks = [asyncio.ensure_future(ask(i)) for i in range(20)]
        await asyncio.sleep(0)  # all have sent
        assert not any(each.done() for each in asks)
        gate.open()
        return await asyncio.gather(*asks)

    async def ask(value: int) -> Any:
        return await puppet.work(value)

    assert asyncio.run(main()) == list(range(20))
    assert puppet.count().result(TIMEOUT) == 21


def test_under_trio(full: Full, gate: Gate) -> None:
    puppet = full()
    results = []

    async def ask(value: int) -> None:
        results.append(await puppet.work(value))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for i in range(20):
                nursery.start_soon(ask, i)
            await trio.testing.wait_all_tasks_blocked()
            assert results == []
            gate.open()

    trio.run(main)
    assert sorted(results) == list(range(20))
    assert puppet.count().result(TIMEOUT) == 21


def test_a_tell_on_a_loop_raises(full: Full) -> None:
    puppet = full()

    async def main() -> None:
        with pytest.raises(MailboxFullError):
            puppet.work.tell()

    asyncio.run(main())
    trio.run(main)


def test_an_ask_on_a_loop_that_is_not_awaited_fails(full: Full) -> None:
    puppet = full()

    async def main() -> None:
        with pytest.raises(MailboxFullError):
            puppet.work().result(0)
        assert isinstance(puppet.work().exception(0), MailboxFullError)

    asyncio.run(main())


def test_a_suspended_ask_fails_when_the_actor_dies(full: Full, gate: Gate) -> None:
    puppet = full()

    async def main() -> None:
        async def ask() -> Any:
            return await puppet.work()

        suspended = [asyncio.ensure_future(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        puppet.kill()
        for each in suspended:
            with pytest.raises(ActorDeadError):
                await each
        gate.open()

    asyncio.run(main())


def test_a_cancelled_suspended_ask_is_never_sent(full: Full, gate: Gate) -> None:
    puppet = full()

    async def main() -> None:
        async def ask() -> Any:
            return await puppet.work()

        cancelled, other = asyncio.ensure_future(ask()), asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        gate.open()
        await other
        assert await puppet.count() == 2  # what filled the mailbox, and the other

    asyncio.run(main())


def test_suspended_asks_are_sent_in_their_order(full: Full, gate: Gate, journal: Journal) -> None:
    puppet = full()

    async def main() -> None:
        async def ask(entry: int) -> None:
            await puppet.note(entry)

        asks = [asyncio.ensure_future(ask(i)) for i in range(10)]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*asks)

    asyncio.run(main())
    assert journal.take(10) == list(range(10))


def test_a_stopping_actor_handles_or_refuses_suspended_asks(full: Full, gate: Gate) -> None:
    # They are sent when there is room; a stop before that is before them.
    puppet = full()

    async def main() -> None:
        async def ask() -> Any:
            return await puppet.work("handled")

        suspended = asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        puppet.stop()
        gate.open()
        try:
            assert await suspended == "handled"
        except ActorDeadError:
            assert suspended.done()

    asyncio.run(main())
