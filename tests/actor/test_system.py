"""ActorSystem: nothing outlives its block (public contract §11)."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
import trio
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Place, RunThreads, Spawn
from troupe.lives import Life, Parent

from mojo_seq import (
    Actor,
    ActorDeadError,
    ActorSystem,
    AsyncioTaskRunner,
    DeadlineExceededError,
    ShutdownError,
    ThreadPool,
)


def test_a_with_block(placement: Place) -> None:
    with ActorSystem(2) as system:
        counter = system.spawn(Counter, 10, on=placement())
        assert counter.add(5).result(TIMEOUT) == 15
    assert not counter.is_alive
    with pytest.raises(ActorDeadError):
        counter.add(1).result(TIMEOUT)


def test_the_block_handles_what_is_queued(placement: Place) -> None:
    with ActorSystem(2) as system:
        counter = system.spawn(Counter, on=placement())
        replies = [counter.add(1) for _ in range(200)]
    assert [reply.result(0) for reply in replies] == list(range(1, 201))


def test_an_async_with_block_under_asyncio(placement: Place) -> None:
    async def main() -> None:
        async with ActorSystem(2) as system:
            counter = system.spawn(Counter, 10, on=placement())
            assert await counter.add(5) == 15
        assert not counter.is_alive

    asyncio.run(main())


def test_an_async_with_block_under_trio(placement: Place) -> None:
    async def main() -> None:
        async with ActorSystem(2) as system:
            counter = system.spawn(Counter, 10, on=placement())
            assert await counter.add(5) == 15
        assert not counter.is_alive

    trio.run(main)


def test_actors_on_the_very_loop_that_ends_the_system() -> None:
    ended: list[str] = []

    class Local(Actor):
        async def work(self) -> int:
            await asyncio.sleep(0)
            return 1

        async def on_stop(self, reason: object) -> None:
            await asyncio.sleep(0)
            ended.append("stopped")

    async def main() -> None:
        async with ActorSystem(1) as system:
            locals_ = [system.spawn(Local, on=AsyncioTaskRunner()) for _ in range(3)]
            assert [await each.work() for each in locals_] == [1, 1, 1]

    asyncio.run(main())
    assert ended == ["stopped"] * 3


def test_an_exception_in_the_block_ends_the_system_too(placement: Place) -> None:
    counter: Any = None
    with pytest.raises(LookupError, match="in the block"), ActorSystem(1) as system:
        counter = system.spawn(Counter, on=placement())
        raise LookupError("in the block")
    assert not counter.is_alive


def test_shutdown_twice_is_harmless(spawn: Spawn, system: ActorSystem) -> None:
    spawn(Counter)
    system.shutdown(TIMEOUT)
    system.shutdown()
    system.shutdown(0.0)
    assert "shut down" in repr(system)


def test_shutdown_from_many_threads(
    spawn: Spawn, system: ActorSystem, run_threads: RunThreads
) -> None:
    counters = [spawn(Counter) for _ in range(5)]
    run_threads(4, lambda _: system.shutdown(TIMEOUT))
    assert not any(counter.is_alive for counter in counters)


def test_spawning_afterwards(system: ActorSystem, placement: Place) -> None:
    system.shutdown(TIMEOUT)
    with pytest.raises(ShutdownError):
        system.spawn(Counter, on=placement())
    with pytest.raises(RuntimeError):
        system.spawn(Counter)


def test_shutdown_with_a_time_limit(
    spawn: Spawn, system: ActorSystem, journal: Journal, gate: Gate
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    with pytest.raises(DeadlineExceededError):
        system.shutdown(0.001)
    gate.open()
    system.shutdown(TIMEOUT)


def test_an_actor_cannot_wait_for_the_end_of_its_own_system(journal: Journal) -> None:
    class Suicidal(Actor):
        def end_it(self) -> None:
            self.system.shutdown()

    with ActorSystem(2) as other:
        suicidal = other.spawn(Suicidal)
        with pytest.raises(RuntimeError):
            suicidal.end_it().result(TIMEOUT)


def test_a_pool_that_ends_before_the_system(system: ActorSystem) -> None:
    with ThreadPool(2) as pool:
        counter = system.spawn(Counter, on=pool)
        assert counter.add(1).result(TIMEOUT) == 1
    late = counter.add(1)
    assert isinstance(late.exception(TIMEOUT), ActorDeadError)
    with pytest.raises(ShutdownError):
        system.spawn(Counter, on=pool)


def test_a_loop_that_ends_before_the_system(system: ActorSystem) -> None:
    async def main() -> Any:
        counter = system.spawn(Counter, on=AsyncioTaskRunner())
        assert await counter.add(1) == 1
        return counter

    counter = asyncio.run(main())
    assert isinstance(counter.add(1).exception(TIMEOUT), ActorDeadError)
    system.shutdown(TIMEOUT)


def test_a_system_that_is_dropped_warns() -> None:
    system: Any = ActorSystem(1)
    with pytest.warns(ResourceWarning) as caught:
        del system
        gc.collect()
    assert any("ActorSystem" in str(each.message) for each in caught)


def test_two_systems_at_once(placement: Place) -> None:
    with ActorSystem(2) as one, ActorSystem(2) as other:
        counters = [each.spawn(Counter, on=placement()) for each in (one, other)]
        assert [counter.add(1).result(TIMEOUT) for counter in counters] == [1, 1]
        one.shutdown(TIMEOUT)
        assert not counters[0].is_alive
        assert counters[1].add(1).result(TIMEOUT) == 2


def test_spawning_during_the_end_is_refused_or_ended(
    spawn: Spawn, system: ActorSystem, journal: Journal
) -> None:
    # An actor that handles its queue while the system ends spawns children: none is left.
    parent = spawn(Parent, journal.ref, "p")
    replies = [parent.have(Life, journal.ref, str(i)) for i in range(50)]
    system.shutdown(TIMEOUT)
    for reply in replies:
        error = reply.exception(0)
        assert isinstance(error, ShutdownError) if error else not reply.result(0).is_alive
