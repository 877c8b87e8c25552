"""stream: generators in worker processes."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stream_tasks
import trio
from executor_tasks import Unpicklable
from gate import Gate

from mojo_seq import (
    CancelledError,
    DeadlineExceededError,
    InvalidArgumentError,
    ProcessPool,
    move_on_after,
)
from mojo_seq.pool import WorkerDiedError


@pytest.fixture(params=[asyncio.run, trio.run], ids=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a coroutine function."""

    def run_it(function: Callable[[], Any]) -> Any:
        return request.param(function() if request.param is asyncio.run else function)

    return run_it


# --- items ---


@pytest.mark.parametrize("buffer", [1, 2, 16, 1000])
def test_items_in_order(pool: ProcessPool, buffer: int) -> None:
    assert list(pool.stream(stream_tasks.count, 100, buffer=buffer)) == [*range(100)]


def test_items_come_as_they_are_made(pool: ProcessPool, gate: Gate) -> None:
    with pool.stream(stream_tasks.count_with_gate, gate.path) as items:
        gate.next_begun()
        with pytest.raises(DeadlineExceededError):
            items.next(timeout=0.01)
        gate.open()
        assert [next(items), next(items)] == [0, 1]


def test_what_is_no_generator(pool: ProcessPool) -> None:
    assert list(pool.stream(stream_tasks.list_of, 1, "two")) == [1, "two"]
    with pytest.raises(TypeError, match="not iterable"):
        next(pool.stream(stream_tasks.square, 2))  # type: ignore[arg-type]


def test_keyword_arguments(pool: ProcessPool) -> None:
    assert list(pool.stream(stream_tasks.count, end=3)) == [0, 1, 2]
    assert list(pool.stream(partial(stream_tasks.count, end=3))) == [0, 1, 2]


def test_what_the_generator_returns(pool: ProcessPool) -> None:
    found = []

    def delegate() -> Iterator[int]:
        items: Any = pool.stream(stream_tasks.count_and_return, 2, "result")
        found.append((yield from items))

    assert list(delegate()) == [0, 1]
    assert found == ["result"]


def test_arrays_are_not_copied(pool: ProcessPool) -> None:
    with pool.stream(stream_tasks.yield_arrays, 1 << 20, buffer=2) as arrays:
        for number, array in zip(range(10), arrays, strict=False):
            assert not array.flags.owndata and not array.flags.writeable
            assert array.shape == (1 << 20,) and np.all(array == number)


def test_handles_in_items(pool: ProcessPool) -> None:
    with pool.stream(stream_tasks.yield_pipes) as pipes:
        for number in range(5):
            with next(pipes) as pipe, pipe.read() as message:
                assert bytes(message) == b"%d" % number


def test_several_at_once(pool: ProcessPool) -> None:
    first, second = (pool.stream(stream_tasks.count, 50, buffer=1) for _ in range(2))
    assert list(zip(first, second, strict=True)) == [(n, n) for n in range(50)]


# --- back-pressure ---


@pytest.mark.parametrize("buffer", [1, 2, 5])
def test_no_item_is_made_without_room(pool: ProcessPool, gate: Gate, buffer: int) -> None:
    with pool.stream(stream_tasks.announce_each, gate.path, buffer=buffer) as items:
        made = 0
        for taken in range(20):
            while made < taken + max(1, buffer // 2):
                gate.next_begun()
                made += 1
            assert next(items) == taken
        while not gate.none_has_begun():
            gate.next_begun()
            made += 1
        assert made <= 20 + buffer


def test_memory_stays_flat(pool: ProcessPool) -> None:
    with pool.stream(stream_tasks.yield_arrays, 1 << 20) as arrays:
        for _ in range(50):
            next(arrays)
        before = resident()
        for _ in range(300):
            next(arrays)
        assert resident() - before < 100 << 20


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- exceptions ---


def test_an_exception_comes_after_the_items(pool: ProcessPool) -> None:
    items = pool.stream(stream_tasks.count_and_fail, 3, LookupError("at last"))
    assert [next(items), next(items), next(items)] == [0, 1, 2]
    with pytest.raises(LookupError, match="at last") as caught:
        next(items)
    assert "count_and_fail" in str(caught.value.__cause__)
    assert list(items) == []


def test_an_item_that_cannot_be_pickled_ends_it(pool: ProcessPool, gate: Gate) -> None:
    items = pool.stream(stream_tasks.yield_unpicklable, gate.path)
    assert next(items) == 1
    with pytest.raises(Exception, match="not to be pickled") as caught:
        next(items)
    assert any("item[0]" in note for note in caught.value.__notes__)
    gate.next_begun()  # the generator was closed
    assert list(items) == []


def test_an_item_that_cannot_be_unpickled_is_no_end(pool: ProcessPool) -> None:
    items = pool.stream(stream_tasks.yield_what_fails_to_arrive)
    assert next(items) == 1
    with pytest.raises(ValueError, match="not at the destination"):
        next(items)
    assert list(items) == [3]


def test_a_worker_that_dies(pool: ProcessPool) -> None:
    items = pool.stream(stream_tasks.count_and_die, 10)
    assert [next(items) for _ in range(10)] == [*range(10)]
    with pytest.raises(WorkerDiedError) as caught:
        next(items)
    assert caught.value.signal == 9
    assert "stream_tasks.count_and_die" in caught.value.task
    assert list(items) == []


def test_a_worker_that_is_killed_while_somebody_waits(pool: ProcessPool, gate: Gate) -> None:
    items = pool.stream(stream_tasks.count_with_gate, gate.path)
    os.kill(gate.next_begun(), 9)
    with pytest.raises(WorkerDiedError):
        next(items)


def test_streams_are_not_run_again(pool: ProcessPool) -> None:
    items = pool.with_options(retries=3).stream(stream_tasks.count_and_die, 2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(WorkerDiedError):
        next(items)


def test_time_limit_of_a_view(pool: ProcessPool, gate: Gate) -> None:
    items = pool.with_options(timeout=0.05).stream(stream_tasks.never_yield, gate.path)
    with pytest.raises(DeadlineExceededError):
        next(items)


def test_arguments_that_cannot_be_pickled(pool: ProcessPool) -> None:
    with pytest.raises(Exception, match="not to be pickled"):
        pool.stream(stream_tasks.list_of, Unpicklable())


@pytest.mark.parametrize(
    ("fn", "options", "error"),
    [
        (None, {}, TypeError),
        (stream_tasks.count, {"buffer": 0}, InvalidArgumentError),
        (stream_tasks.count, {"buffer": 1.0}, TypeError),
        (stream_tasks.count, {"progress": 1}, TypeError),
    ],
)
def test_bad_arguments(
    pool: ProcessPool, fn: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        pool.stream(fn, **options)


# --- scopes and event loops ---


def test_scopes_end_the_wait(pool: ProcessPool, gate: Gate) -> None:
    with gate:
        with (
            move_on_after(0.05) as scope,
            pool.stream(stream_tasks.count_with_gate, gate.path) as i,
        ):
            next(i)
        assert scope.cancelled_caught
    with move_on_after(30) as scope:
        scope.cancel()
        with pytest.raises(CancelledError):
            pool.stream(stream_tasks.count, 3)


def test_in_an_event_loop(pool: ProcessPool, run: Callable[..., Any]) -> None:
    async def main() -> list[int]:
        return [each async for each in pool.stream(stream_tasks.count, 300, buffer=3)]

    assert run(main) == [*range(300)]


def test_break_in_an_event_loop(pool: ProcessPool, gate: Gate, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async for number in pool.stream(stream_tasks.count_for_ever, gate.path):
            if number == 50:
                break

    run(main)
    gate.next_begun()


def test_a_death_in_an_event_loop(pool: ProcessPool, run: Callable[..., Any]) -> None:
    async def main() -> None:
        found = []
        with pytest.raises(WorkerDiedError):
            async for number in pool.stream(stream_tasks.count_and_die, 5):
                found.append(number)
        assert found == [0, 1, 2, 3, 4]

    run(main)


def test_being_cancelled_loses_no_item(pool: ProcessPool, gate: Gate) -> None:
    async def main() -> list[int]:
        async with pool.stream(stream_tasks.count_with_gate, gate.path) as items:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(items), 0.05)
            gate.open()
            return [await anext(items) for _ in range(3)]

    with gate:
        assert asyncio.run(main()) == [0, 1, 2]


def test_many_one_after_the_other(pool: ProcessPool) -> None:
    for end in range(30):
        assert list(itertools.islice(pool.stream(stream_tasks.count, 100), end)) == [*range(end)]
