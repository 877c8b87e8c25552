"""ActorPool: equal actors that share their work (public contract §12)."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from troupe import TIMEOUT, Gate
from troupe.basic import Puppet
from troupe.fixtures import Place
from troupe.journal import Journal
from troupe.pooled import NeverMade, Worker, started

from mojo_seq import (
    ActorDeadError,
    ActorPool,
    ActorSystem,
    CancelledError,
    CancelScope,
    InvalidArgumentError,
    ProcessPool,
    ShutdownError,
    TaskFuture,
    move_on_after,
)
from mojo_seq.testing import TaskEnvironment, explore

pytestmark = pytest.mark.across_processes


@pytest.fixture
def pool(settled: None) -> Iterator[ActorPool[Worker]]:
    """Two actors in a system of their own."""
    started.clear()
    with ActorPool(Worker, 100, size=2) as made:
        yield made


@pytest.fixture
def placed(system: ActorSystem, placement: Place) -> Iterator[ActorPool[Worker]]:
    """Two actors anywhere."""
    with ActorPool(Worker, size=2, system=system, on=placement(), base=100) as made:
        yield made


def test_calls_are_answered_by_any(placed: ActorPool[Worker]) -> None:
    futures = [placed.submit(Worker.add, number, twice=True) for number in range(20)]
    assert isinstance(futures[0], concurrent.futures.Future)
    assert [future.result(TIMEOUT) for future in futures] == [100 + 2 * n for n in range(20)]
    assert placed.submit("add", 1).result(TIMEOUT) == 101
    assert placed.submit(Worker.add_async, 2).result(TIMEOUT) == 102
    with pytest.raises(LookupError, match="mine"):
        placed.submit(Worker.fail, "mine").result(TIMEOUT)


def test_map_keeps_the_order(placed: ActorPool[Worker]) -> None:
    assert list(placed.map(Worker.add, range(50))) == list(range(100, 150))


def test_map_raises_in_the_place_of_a_result(pool: ActorPool[Worker]) -> None:
    results = pool.map("add", [1, "two", 3])
    assert next(results) == 101
    with pytest.raises(TypeError):
        next(results)


def test_an_idle_actor_gets_it(system: ActorSystem, journal: Journal, gate: Gate) -> None:
    with ActorPool(Puppet, journal.ref, size=2, system=system) as pool:
        held = pool.submit(Puppet.hold, gate.ref)
        assert journal.next() == "held"
        assert [pool.submit(Puppet.work, n).result(TIMEOUT) for n in range(10)] == list(range(10))
        gate.open()
        assert held.result(TIMEOUT) == "held"


def test_what_waits_can_be_taken_back(system: ActorSystem, journal: Journal, gate: Gate) -> None:
    with ActorPool(Puppet, journal.ref, size=1, system=system) as pool:
        held = pool.submit(Puppet.hold, gate.ref)
        assert journal.next() == "held"
        waiting = [pool.submit(Puppet.work, number) for number in range(3)]
        assert waiting[1].cancel() and not held.cancel()
        with pytest.raises(TimeoutError):
            next(pool.map(Puppet.work, [1], timeout=0.001))
        gate.open()
        assert [waiting[0].result(TIMEOUT), waiting[2].result(TIMEOUT)] == [0, 2]
        assert waiting[1].cancelled()
        assert pool.submit(Puppet.count).result(TIMEOUT) == 2


def test_leaving_the_block_does_what_was_submitted() -> None:
    with ActorPool(Worker, size=2) as pool:
        futures = [pool.submit(Worker.add, number) for number in range(100)]
    assert all(future.done() and not future.cancelled() for future in futures)
    with pytest.raises(ShutdownError):
        pool.submit(Worker.add, 1)
    pool.shutdown()


def test_a_shutdown_may_take_back_what_waits() -> None:
    pool = ActorPool(Worker, size=1)
    started.clear()
    with move_on_after(TIMEOUT):
        first = pool.submit(Worker.cooperate)
    assert started.wait(TIMEOUT)
    waiting = pool.submit(Worker.add, 1)
    first.request_cancel()
    pool.shutdown(cancel_futures=True)
    assert first.cancelled() and waiting.done()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_in_coroutines(backend: str) -> None:
    async def main() -> None:
        async with ActorPool(Worker, size=2) as pool:
            assert await pool.submit(Worker.add, 1) == 1
            async with pool.task_group() as group:
                future = group.submit(Worker.cooperate)
                assert await group.submit(Worker.add_async, 2) == 2
                group.cancel()
            assert future.cancelled()
            left = pool.submit(Worker.add, 3)
        assert left.result() == 3

    anyio.run(main, backend=backend)


def test_groups(pool: ActorPool[Worker]) -> None:
    with pool.task_group() as group:
        futures = [group.submit(Worker.add, number) for number in range(10)]
    assert [future.result() for future in futures] == list(range(100, 110))
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        other = group.submit(Worker.cooperate)
        group.submit("fail", "mine")
    assert [str(error) for error in raised.value.exceptions] == ["mine"]
    assert other.cancelled()


@pytest.mark.parametrize("method", [Worker.cooperate, Worker.cooperate_async])
def test_methods_hear_of_the_end(pool: ActorPool[Worker], method: Any) -> None:
    with pool.task_group() as group:
        future = group.submit(method)
        assert started.wait(TIMEOUT)
        group.cancel()
    assert future.cancelled()
    with move_on_after(0.2) as scope, pool.task_group() as group:
        future = group.submit(method)
    assert scope.cancelled_caught and future.cancelled()


def test_a_cancelled_scope_takes_no_calls(pool: ActorPool[Worker]) -> None:
    with CancelScope() as scope:
        scope.cancel()
        with pytest.raises(CancelledError):
            pool.submit(Worker.add, 1)


def test_an_actor_that_fails_is_restarted(
    pool: ActorPool[Worker], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        pool.submit(Worker.break_down).result(TIMEOUT)
    assert [pool.submit(Worker.add, 1).result(TIMEOUT) for _ in range(10)] == [101] * 10
    assert pool.size == 2


def test_a_worker_process_that_dies_takes_one_call_with_it(system: ActorSystem) -> None:
    with ProcessPool(2) as workers, ActorPool(Worker, system=system, on=workers) as pool:
        assert pool.size == 2
        pids = {pool.submit(Worker.pid).result(TIMEOUT) for _ in range(8)}
        with pytest.raises(ActorDeadError):
            pool.submit(Worker.die).result(TIMEOUT)
        assert list(pool.map(Worker.add, range(20))) == list(range(20))
        assert {pool.submit(Worker.pid).result(TIMEOUT) for _ in range(8)} != pids


def test_when_all_have_ended_calls_fail(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL), ActorPool(NeverMade, size=2) as pool:
        for _ in range(10):
            with pytest.raises(ActorDeadError):
                pool.submit(NeverMade.work).result(TIMEOUT)


def test_a_system_that_ends_first() -> None:
    with ActorSystem(2) as system:
        pool = ActorPool(Worker, size=1, system=system)
        futures = [pool.submit(Worker.add, number) for number in range(10)]
    for future in futures:
        assert concurrent.futures.wait([future], TIMEOUT).done
    with pytest.raises(ShutdownError):
        pool.submit(Worker.add, 1)
    pool.shutdown()


def test_many_threads_submit(pool: ActorPool[Worker], run_threads: Any) -> None:
    def submit(number: int) -> None:
        futures = [pool.submit(Worker.add, number) for _ in range(100)]
        assert [future.result(TIMEOUT) for future in futures] == [100 + number] * 100

    run_threads(4, submit)
    counts = [pool.submit(Worker.count).result(TIMEOUT) for _ in range(2)]
    assert max(counts) <= 400


def test_misuse(pool: ActorPool[Worker]) -> None:
    with pytest.raises(AttributeError, match="no method 'nothing'"):
        pool.submit("nothing")
    with pytest.raises(TypeError):
        ActorPool(int)  # type: ignore[type-var]
    with pytest.raises(InvalidArgumentError):
        ActorPool(Worker, size=0)
    with pytest.raises(TypeError, match="on must be"):
        ActorPool(Worker, size=1, on=3)


def test_every_order() -> None:
    def test(env: TaskEnvironment) -> None:
        with ActorPool(Worker, size=3) as pool, pool.task_group() as group:
            futures = list[TaskFuture[int]]()
            for number in range(6):
                futures.append(group.submit(Worker.add, number))
            futures.append(group.submit(Worker.add_async, 6))
        assert [future.result() for future in futures] == list(range(7))

    explore(test, range(40))


def test_the_actors_threads_are_those_of_the_system(settled: None) -> None:
    before = threading.active_count()
    with ActorSystem(3) as system, ActorPool(Worker, size=3, system=system) as pool:
        list(pool.map(Worker.add, range(10)))
        assert threading.active_count() <= before + 4
