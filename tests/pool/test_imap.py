"""imap and imap_unordered in worker processes."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError as FutureCancelled
from pathlib import Path
from typing import Any

import pytest
import stream_tasks
import trio
from executor_tasks import Unpicklable
from gate import Gate, pass_through
from polling import eventually
from pool_services import await_end

from mojo_seq import (
    CancelledError,
    DeadlineExceededError,
    ProcessPool,
    ShutdownError,
    move_on_after,
)
from mojo_seq.pool import WorkerDiedError
from mojo_seq.pool.result_iterator import ResultIterator

Start = Callable[..., ResultIterator[Any]]


@pytest.fixture(params=["imap", "imap_unordered"])
def start(request: pytest.FixtureRequest, pool: ProcessPool) -> Start:
    """Either method."""
    found: Start = getattr(pool, request.param)
    return found


@pytest.fixture(params=[asyncio.run, trio.run], ids=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a coroutine function."""

    def run_it(function: Callable[[], Any]) -> Any:
        return request.param(function() if request.param is asyncio.run else function)

    return run_it


# --- results ---


def test_results_in_order(pool: ProcessPool) -> None:
    assert list(pool.imap(stream_tasks.square, range(100))) == [n * n for n in range(100)]


def test_results_as_they_are_made(pool: ProcessPool, gate: Gate) -> None:
    paths = [gate.path] * 5
    results = pool.imap_unordered(stream_tasks.square_or_wait, [1, 0, 0, 0, 0], paths, buffer=5)
    with gate:
        assert [next(results) for _ in range(4)] == [0, 0, 0, 0]
    assert list(results) == [1]


@pytest.mark.parametrize("chunksize", [1, 7, 1000])
def test_several_iterables_and_chunks(pool: ProcessPool, start: Start, chunksize: int) -> None:
    found = start(stream_tasks.multiply, range(100), itertools.count(), chunksize=chunksize)
    assert sorted(found) == [n * n for n in range(100)]


def test_an_infinite_iterable(start: Start) -> None:
    with start(stream_tasks.square, itertools.count()) as results:
        first = [next(results) for _ in range(500)]
    assert len({*first}) == 500 and max(first) < 700**2


@pytest.mark.parametrize("chunksize", [1, 3])
def test_exceptions_in_their_place(pool: ProcessPool, chunksize: int) -> None:
    results = pool.imap(stream_tasks.reciprocal, [1, 0, 2, 4], chunksize=chunksize)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert "reciprocal" in str(caught.value.__cause__)  # its traceback there
    assert list(results) == [0.5, 0.25]


@pytest.mark.parametrize("chunksize", [1, 2])
def test_what_cannot_be_pickled_fails_in_its_place(pool: ProcessPool, chunksize: int) -> None:
    things = [1, 2, Unpicklable(), Unpicklable(), 5, 6]
    results = pool.imap(str, things, chunksize=chunksize)
    assert [next(results), next(results)] == ["1", "2"]
    for _ in range(2):
        with pytest.raises(Exception, match="not to be pickled"):
            next(results)
    assert list(results) == ["5", "6"]


def test_a_worker_that_dies_fails_its_task_only(pool: ProcessPool) -> None:
    results = pool.imap(stream_tasks.die_at, range(20), itertools.repeat(7))
    assert [next(results) for _ in range(7)] == [*range(7)]
    with pytest.raises(WorkerDiedError) as caught:
        next(results)
    assert "die_at(7, 7)" in caught.value.task
    assert list(results) == [*range(8, 20)]


def test_a_worker_that_dies_in_a_chunk_fails_the_chunk(pool: ProcessPool) -> None:
    results = pool.imap(stream_tasks.die_at, range(6), itertools.repeat(3), chunksize=2)
    assert [next(results), next(results)] == [0, 1]
    for _ in range(2):
        with pytest.raises(WorkerDiedError) as caught:
            next(results)
        assert "stream_tasks.die_at" in caught.value.task
    assert list(results) == [4, 5]


def test_options_of_a_view(pool: ProcessPool, gate: Gate) -> None:
    with gate, pool.with_options(timeout=0.05).imap(pass_through, [gate.path]) as results:
        with pytest.raises(DeadlineExceededError):
            next(results)
        assert list(results) == []


def test_generator_functions_are_refused(start: Start) -> None:
    with pytest.raises(TypeError, match=r"stream\(\)"):
        start(stream_tasks.count, [3])


def test_memory_stays_flat(pool: ProcessPool) -> None:
    """Of an infinite input with results of a megabyte each."""
    with pool.imap(stream_tasks.fill, itertools.count(), itertools.repeat(1 << 20)) as results:
        for _ in range(50):
            next(results)
        before = resident()
        for _ in range(300):
            next(results)
        assert resident() - before < 100 << 20


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- early ends ---


def test_an_abandoned_iterator_leaves_nothing(start: Start) -> None:
    for number in start(stream_tasks.square, itertools.count()):
        if number > 100:
            break


def test_an_iterator_in_a_cycle_leaves_nothing(start: Start) -> None:
    cycle: list[Any] = [start(stream_tasks.square, itertools.count())]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()


def test_what_runs_is_told(pool: ProcessPool, gate: Gate) -> None:
    results = pool.imap(stream_tasks.spin_until_cancelled, [gate.path] * 2)
    gate.next_begun()
    gate.next_begun()
    results.close()
    gate.next_begun()
    gate.next_begun()


def test_what_has_not_begun_never_does(pool: ProcessPool, gate: Gate) -> None:
    with gate:
        results = pool.imap(pass_through, [gate.path] * 100, buffer=100)
        gate.next_begun()
        gate.next_begun()
        results.close()
    assert pool.submit(stream_tasks.square, 3).result() == 9
    assert gate.none_has_begun()


def test_shutting_down_midway(pool: ProcessPool, start: Start) -> None:
    """What was started is done; then it is told."""
    results = start(stream_tasks.square, itertools.count(), buffer=5)
    found = [next(results)]
    pool.shutdown()
    with pytest.raises(ShutdownError):
        for each in results:
            found.append(each)
    assert {*found} <= {n * n for n in range(7)}
    assert list(results) == []


def test_a_pool_that_was_shut_down(pool: ProcessPool, start: Start) -> None:
    pool.shutdown()
    with pytest.raises(ShutdownError):
        start(stream_tasks.square, [1])


def test_shutting_down_cancels_if_asked_to(pool: ProcessPool, gate: Gate) -> None:
    with gate:
        results = pool.imap(pass_through, [gate.path] * 8, buffer=8)
        gate.next_begun()
        gate.next_begun()
        pool.shutdown(wait=False, cancel_futures=True)
    assert [next(results), next(results)] == [None, None]
    for _ in range(6):
        with pytest.raises(FutureCancelled):
            next(results)
    assert list(results) == []


# --- time ---


def test_a_result_that_does_not_come_in_time(pool: ProcessPool, gate: Gate) -> None:
    with gate:
        results = pool.imap(pass_through, [gate.path], ["a"])
        for timeout in (0, 0.01):
            with pytest.raises(DeadlineExceededError):
                results.next(timeout)
    assert results.next(30) == "a"


def test_scopes_end_the_wait(pool: ProcessPool, gate: Gate) -> None:
    with gate:
        with move_on_after(0.05) as scope, pool.imap(pass_through, [gate.path]) as results:
            next(results)
        assert scope.cancelled_caught


def test_nothing_is_started_in_a_cancelled_scope(start: Start) -> None:
    with move_on_after(30) as scope:
        results = start(stream_tasks.square, itertools.count(), buffer=2)
        scope.cancel()
        with pytest.raises(CancelledError):
            for _ in range(4):
                next(results)
        with pytest.raises(CancelledError):
            start(stream_tasks.square, [1])


# --- event loops ---


def test_in_an_event_loop(start: Start, run: Callable[..., Any]) -> None:
    async def main() -> list[int]:
        return [each async for each in start(stream_tasks.square, range(300), chunksize=3)]

    assert sorted(run(main)) == [n * n for n in range(300)]


def test_the_loop_is_not_blocked(pool: ProcessPool, gate: Gate, run: Callable[..., Any]) -> None:
    """Others run while it waits."""

    async def main() -> None:
        async with pool.imap(pass_through, [gate.path], ["a"]) as results:
            if run_by_asyncio():
                waiting = asyncio.create_task(anext(results))
                await asyncio.sleep(0)
                gate.open()
                assert await waiting == "a"
            else:
                async with trio.open_nursery() as nursery:

                    async def wait() -> None:
                        assert await anext(results) == "a"

                    nursery.start_soon(wait)
                    await trio.lowlevel.checkpoint()
                    gate.open()

    with gate:
        run(main)


def run_by_asyncio() -> bool:
    return not trio.lowlevel.in_trio_run()


def test_being_cancelled_loses_no_result(pool: ProcessPool, gate: Gate) -> None:
    async def main() -> list[Any]:
        results = pool.imap(pass_through, [gate.path] * 2, "ab")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(results), 0.05)
        gate.open()
        return [each async for each in results]

    with gate:
        assert asyncio.run(main()) == ["a", "b"]


def test_being_cancelled_by_trio_loses_no_result(pool: ProcessPool, gate: Gate) -> None:
    async def main() -> list[Any]:
        results = pool.imap(pass_through, [gate.path] * 2, "ab")
        with trio.move_on_after(0.05) as scope:
            await anext(results)
        assert scope.cancelled_caught
        gate.open()
        return [each async for each in results]

    with gate:
        assert trio.run(main) == ["a", "b"]


def test_break_in_an_event_loop(start: Start, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async for number in start(stream_tasks.square, itertools.count()):
            if number > 100:
                break

    run(main)


def test_exceptions_in_an_event_loop(pool: ProcessPool, run: Callable[..., Any]) -> None:
    async def main() -> None:
        results: AsyncIterator[float] = pool.imap(stream_tasks.reciprocal, [1, 0, 2])
        assert await anext(results) == 1
        with pytest.raises(ZeroDivisionError):
            await anext(results)
        assert [each async for each in results] == [0.5]

    run(main)


# --- in workers ---


def test_a_dead_workers_results_are_kept(pool: ProcessPool, gate: Gate) -> None:
    """What it had sent is there, whatever happens to it then."""
    with gate:
        results = pool.imap(stream_tasks.square_or_wait, [0, 1], [gate.path] * 2, buffer=2)
        pid = gate.next_begun()
        os.kill(pid, 9)
        assert next(results) == 0
        with pytest.raises(WorkerDiedError):
            next(results)
    await_end([pid])


def test_the_pool_is_as_before(pool: ProcessPool, start: Start) -> None:
    """After many that were abandoned."""
    for _ in range(20):
        next(start(stream_tasks.square, itertools.count()))
    eventually(lambda: pool.submit(stream_tasks.square, 2).result() == 4)
