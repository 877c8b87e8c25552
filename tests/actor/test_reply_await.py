"""A Reply can be awaited from asyncio and trio, and blocks no loop (public contract §11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio
import trio.testing
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Spawn

from mojo_seq import ActorRef, Reply


@pytest.fixture
def held(spawn: Spawn, journal: Journal, gate: Gate) -> ActorRef[Puppet]:
    """An actor that is held at the gate."""
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    return puppet


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_results_and_errors(spawn: Spawn, journal: Journal, backend: str) -> None:
    counter, puppet = spawn(Counter), spawn(Puppet, journal.ref)

    async def main() -> None:
        assert await counter.add(5) == 5
        assert await counter.add_async(1) == 6
        with pytest.raises(LookupError, match="awaited"):
            await puppet.fail("awaited")
        reply = counter.add(1)
        assert [await reply for _ in range(3)] == [7, 7, 7]

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_loop_goes_on_meanwhile(held: ActorRef[Puppet], gate: Gate, backend: str) -> None:
    results: list[object] = []

    async def ask() -> None:
        results.append(await held.work("answer"))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            for i in range(3):
                await anyio.sleep(0)
                results.append(i)
            gate.open()

    anyio.run(main, backend=backend)
    assert results == [0, 1, 2, "answer"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_at_once(spawn: Spawn, backend: str) -> None:
    counter = spawn(Counter)
    results: list[int] = []

    async def ask() -> None:
        results.append(await counter.add(1))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(ask)

    anyio.run(main, backend=backend)
    assert sorted(results) == list(range(1, 201))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_scope_takes_the_ask_back(
    held: ActorRef[Puppet], gate: Gate, heard: Callable[[], None], backend: str
) -> None:
    async def main() -> None:
        with anyio.move_on_after(0.001) as scope:
            await held.work()
        assert scope.cancelled_caught
        heard()
        gate.open()
        assert await held.count() == 0

    anyio.run(main, backend=backend)


def test_trio_move_on_after(held: ActorRef[Puppet], gate: Gate) -> None:
    async def main() -> None:
        reply = held.work()
        with trio.move_on_after(0.001) as scope:
            await reply
        assert scope.cancelled_caught
        assert reply.cancelled()
        gate.open()
        assert await held.work("next") == "next"

    trio.run(main)


def test_trio_cancelled_before_it_waits(spawn: Spawn) -> None:
    counter = spawn(Counter)

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await counter.add(1)
        assert scope.cancelled_caught

    trio.run(main)


def test_asyncio_wait_for(held: ActorRef[Puppet], gate: Gate) -> None:
    async def main() -> None:
        reply = held.work()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply, 0.001)
        assert reply.cancelled()
        gate.open()
        assert await asyncio.wait_for(held.work("next"), TIMEOUT) == "next"

    asyncio.run(main())


def test_asyncio_timeout(held: ActorRef[Puppet], gate: Gate, heard: Callable[[], None]) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await held.work()
        heard()
        gate.open()
        assert await held.count() == 0

    asyncio.run(main())


def test_asyncio_gather_shield_and_wrap(spawn: Spawn) -> None:
    counter = spawn(Counter)

    async def main() -> None:
        assert await asyncio.gather(*[counter.add(1) for _ in range(3)]) == [1, 2, 3]
        assert await asyncio.shield(counter.add(1)) == 4
        assert await asyncio.wrap_future(counter.add(1)) == 5
        done, _ = await asyncio.wait([asyncio.ensure_future(counter.add(1))])
        assert [each.result() for each in done] == [6]
        assert [await each for each in asyncio.as_completed([counter.add(1)])] == [7]

    asyncio.run(main())


def test_a_cancelled_asyncio_task(
    held: ActorRef[Puppet], gate: Gate, heard: Callable[[], None]
) -> None:
    async def main() -> None:
        reply = held.work()

        async def ask() -> Any:
            return await reply

        task = asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reply.cancelled()
        heard()
        gate.open()
        assert await held.count() == 0

    asyncio.run(main())


def test_an_ask_that_others_await_too_is_not_taken_back(held: ActorRef[Puppet], gate: Gate) -> None:
    async def main() -> None:
        reply = held.work("answer")

        async def ask() -> Any:
            return await reply

        tasks = [asyncio.ensure_future(ask()) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        gate.open()
        assert await tasks[1] == "answer"

    asyncio.run(main())


def test_a_loop_that_is_gone_when_the_answer_comes(held: ActorRef[Puppet], gate: Gate) -> None:
    async def main() -> Reply[Any]:
        reply = held.work("late")
        waiting.append(asyncio.ensure_future(wait(reply)))
        await asyncio.sleep(0)
        return reply

    waiting: list[asyncio.Task[None]] = []

    async def wait(reply: Reply[Any]) -> None:
        with pytest.raises(asyncio.CancelledError):
            await reply

    reply = asyncio.run(main())
    gate.open()
    assert reply.cancelled() or reply.result(TIMEOUT) == "late"
    assert held.work(1).result(TIMEOUT) == 1


def test_awaiting_without_a_loop_says_what_to_do() -> None:
    coroutine = Reply[int]().__await__
    with pytest.raises(RuntimeError, match="result"):
        coroutine().send(None)


def test_a_reply_may_be_awaited_on_two_loops(held: ActorRef[Puppet], gate: Gate) -> None:
    from concurrent.futures import ThreadPoolExecutor

    reply = held.work("both")

    async def main() -> Any:
        return await reply

    with ThreadPoolExecutor(2) as executor:
        results = [
            executor.submit(lambda backend: anyio.run(main, backend=backend), backend)
            for backend in ("asyncio", "trio")
        ]
        gate.open()
        assert [each.result(TIMEOUT) for each in results] == ["both", "both"]
