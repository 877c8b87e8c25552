"""Awaits that look for their answer awake keep nobody waiting: not the actor's other messages, nor
what else is on their thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mojo_seq import Actor, ActorDeadError, ActorRef, ActorSystem, ThreadPool, interleaved

TIMEOUT = 10


class Echo(Actor):
    def ping(self, thing: Any) -> Any:
        return thing

    def fail(self) -> None:
        raise LookupError("as told")


class Asker(Actor):
    """Asks another one, again and again, until something else has happened."""

    def __init__(self, other: ActorRef[Echo]) -> None:
        self._other: Any = other
        self._is_over = False
        self.asks = 0

    @interleaved
    async def ask_on(self) -> int:
        while not self._is_over:
            self.asks += 1
            assert await self._other.ping(self.asks) == self.asks
        return self.asks

    async def ask_on_alone(self) -> int:
        return await self.ask_on()

    async def ask_until_a_timer(self) -> int:
        asyncio.get_running_loop().call_later(0.001, self.end)
        return await self.ask_on()

    async def ask_until_another_task(self) -> int:
        async def end() -> None:
            self.end()

        task = asyncio.ensure_future(end())
        asked = await self.ask_on()
        await task
        return asked

    async def repeat(self, n: int) -> int:
        return sum([await self._other.ping(1) for _ in range(n)])

    async def fail(self) -> None:
        await self._other.fail()

    def end(self) -> None:
        self._is_over = True


@pytest.fixture
def pair() -> Iterator[tuple[ActorSystem, ThreadPool, Any]]:
    """An asker and an echo, each on a thread of its own, and the asker's pool."""
    with ExitStack() as stack:
        one = stack.enter_context(ThreadPool(1))
        two = stack.enter_context(ThreadPool(1))
        system = stack.enter_context(ActorSystem(1))
        yield system, one, system.spawn(Asker, system.spawn(Echo, on=two), on=one)


def test_other_messages_of_the_actor(pair: tuple[ActorSystem, ThreadPool, Any]) -> None:
    _, _, asker = pair
    asks = asker.ask_on()
    asker.end().result(TIMEOUT)
    assert asks.result(TIMEOUT) >= 0


def test_other_actors_of_the_pool(pair: tuple[ActorSystem, ThreadPool, Any]) -> None:
    system, one, asker = pair
    asks = asker.ask_on()
    other: Any = system.spawn(Echo, on=one)
    assert [other.ping(k).result(TIMEOUT) for k in range(100)] == [*range(100)]
    asker.end()
    assert asks.result(TIMEOUT) > 0


@pytest.mark.parametrize("delay", [0.0, 0.001])
def test_other_tasks_of_the_pool(pair: tuple[ActorSystem, ThreadPool, Any], delay: float) -> None:
    _, one, asker = pair
    runner = one.create_sequenced_task_runner()
    asks = asker.ask_on()
    runner.post_delayed_task(delay, lambda: asker.end.tell())
    assert asks.result(TIMEOUT) > 0


@pytest.mark.parametrize("method", ["ask_until_a_timer", "ask_until_another_task"])
def test_what_else_is_in_the_loop(pair: tuple[ActorSystem, ThreadPool, Any], method: str) -> None:
    _, _, asker = pair
    assert asker.ask(method).result(TIMEOUT) > 0


def test_the_actor_can_be_killed(pair: tuple[ActorSystem, ThreadPool, Any]) -> None:
    _, _, asker = pair
    asks = asker.ask_on_alone()
    asker.kill()
    with pytest.raises(ActorDeadError):
        asks.result(TIMEOUT)


def test_errors_are_raised_where_it_awaits(pair: tuple[ActorSystem, ThreadPool, Any]) -> None:
    _, _, asker = pair
    assert asker.repeat(200).result(TIMEOUT) == 200
    with pytest.raises(LookupError, match="as told"):
        asker.fail().result(TIMEOUT)


def test_many_pairs_on_two_threads() -> None:
    with ThreadPool(1) as one, ThreadPool(1) as two, ActorSystem(1) as system:
        askers: list[Any] = [
            system.spawn(Asker, system.spawn(Echo, on=here), on=there)
            for here, there in [(one, two), (two, one), (one, one), (two, two)] * 4
        ]
        asks = [asker.repeat(200) for asker in askers]
        assert [each.result(TIMEOUT) for each in asks] == [200] * 16


def test_a_coroutine_asks_an_actor_of_its_process() -> None:
    """Its loop has timers, too."""

    async def main(echo: Any) -> None:
        come = list[str]()
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, come.append, "timer")
        asks = 0
        while not come:
            asks += 1
            assert await echo.ping(asks) == asks

    with ActorSystem(1) as system:
        asyncio.run(main(system.spawn(Echo)))


def test_coroutines_that_are_cancelled_in_between() -> None:
    async def ask_often(echo: Any, which: int) -> int:
        answers = 0
        for number in range(50):
            try:
                async with asyncio.timeout(0 if (number + which) % 5 == 0 else TIMEOUT):
                    if number % 3 == 0:
                        await asyncio.sleep(0)
                    assert await echo.ping(number) == number
                    answers += 1
            except TimeoutError:
                continue
        return answers

    async def main(echo: Any) -> None:
        assert await echo.ping(1) == 1
        answers = await asyncio.gather(*(ask_often(echo, which) for which in range(20)))
        assert min(answers) >= 40
        assert await echo.ping(2) == 2

    with ActorSystem(1) as system:
        asyncio.run(main(system.spawn(Echo)))
