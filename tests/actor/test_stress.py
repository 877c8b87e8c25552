"""Many senders, many actors, actors that fail and end under load: nothing is lost or reordered."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from typing import Any

import pytest
from troupe import TIMEOUT, Journal
from troupe.basic import Counter
from troupe.fixtures import RunThreads, Spawn
from troupe.stress import Collector, Forwarder, Shaky

from mojo_seq import ActorDeadError, ActorRef, ActorSystem, Mailbox, Supervisor

LOAD = 3 * TIMEOUT


@pytest.mark.parametrize("capacity", [1, 7, 1024])
def test_each_senders_order_is_kept_and_nothing_is_lost(
    spawn: Spawn, run_threads: RunThreads, capacity: int
) -> None:
    collector = spawn(Collector, mailbox=Mailbox(capacity))
    count = 300

    def send(number: int) -> None:
        for i in range(count):
            if i % 5:
                collector.collect.tell(number, i)
            else:
                collector.collect(number, i).result(LOAD)

    run_threads(6, send)
    seen = collector.seen().result(LOAD)
    assert seen == {number: list(range(count)) for number in range(6)}


def test_actors_as_senders(spawn: Spawn) -> None:
    collector = spawn(Collector, mailbox=Mailbox(5))
    forwarders = [spawn(Forwarder, collector, number) for number in range(6)]
    replies = [forwarder.forward(100) for forwarder in forwarders]
    assert [reply.result(LOAD) for reply in replies] == [100] * 6
    assert collector.seen().result(LOAD) == {number: list(range(100)) for number in range(6)}


def test_a_pipeline_with_back_pressure(spawn: Spawn) -> None:
    collector = spawn(Collector, mailbox=Mailbox(2))
    stage: ActorRef[Any] = collector
    for number in range(5):
        stage = spawn(Forwarder, stage, number, mailbox=Mailbox(2))
    asyncio.run(feed(stage, 100))
    assert collector.seen().result(LOAD) == {0: list(range(100))}


async def feed(stage: ActorRef[Any], count: int) -> None:
    window = asyncio.Semaphore(10)

    async def one(number: int) -> None:
        async with window:
            await stage.collect(0, number)

    tasks = []
    for number in range(count):
        tasks.append(asyncio.ensure_future(one(number)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


def test_everybody_asks_everybody(spawn: Spawn, run_threads: RunThreads) -> None:
    counters = [spawn(Counter) for _ in range(8)]

    def ask(number: int) -> None:
        dice = random.Random(number)
        for _ in range(150):
            counter = dice.choice(counters)
            if dice.random() < 0.5:
                counter.add(1).result(LOAD)
            else:
                counter.add_async(1).result(LOAD)

    run_threads(4, ask)
    assert sum(counter.get().result(LOAD) for counter in counters) == 600


def test_an_actor_that_fails_again_and_again_loses_no_message(
    spawn: Spawn, journal: Journal, run_threads: RunThreads
) -> None:
    from troupe.lives import Parent

    parent = spawn(Parent, journal.ref, supervisor=Supervisor(max_restarts=10_000, within=3600.0))
    tally = spawn(Counter)
    shaky = parent.have(Shaky, tally).result(LOAD)

    def send(number: int) -> None:
        for i in range(60):
            if i % 6 == number:
                shaky.fail.tell()
            else:
                shaky.count.tell()

    run_threads(4, send)
    shaky.ping().result(LOAD)
    assert tally.get().result(LOAD) == 4 * 50


def test_spawning_and_ending_from_many_threads(
    spawn: Spawn, system: ActorSystem, run_threads: RunThreads
) -> None:
    before = len(system.cells())
    numbers = itertools.count()

    def live(number: int) -> None:
        dice = random.Random(number)
        for _ in range(40):
            counter = spawn(Counter, name=f"n{next(numbers)}")
            reply = counter.add(1)
            if dice.random() < 0.5:
                counter.stop()
                assert reply.result(LOAD) == 1
            else:
                counter.kill()
                error = reply.exception(LOAD)
                assert error is None or isinstance(error, ActorDeadError)

    run_threads(4, live)
    system.shutdown(LOAD)
    assert len(system.cells()) == 0 <= before


def test_the_system_ends_under_load(spawn: Spawn, system: ActorSystem) -> None:
    counters = [spawn(Counter) for _ in range(4)]
    outcomes: list[set[str]] = []

    def ask() -> None:
        seen = set[str]()
        while "ActorDeadError" not in seen:
            for counter in counters:
                seen.add(type(counter.add(1).exception(LOAD)).__name__)
                counter.add.tell(1)
        outcomes.append(seen)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    counters[0].add(1).result(LOAD)
    system.shutdown(LOAD)
    for thread in threads:
        thread.join(LOAD)
    assert all(outcome <= {"NoneType", "ActorDeadError"} for outcome in outcomes)
    assert len(outcomes) == 3
