"""What groups, tasks and errors refer to makes no cycles: it goes without the collector."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from mojo_seq import CancelScope, ThreadPool, current_task, move_on_after

TIMEOUT = 30.0

Refs = list[weakref.ref[Any]]


class PlantedError(Exception):
    """Raised by a task."""


def cooperate() -> None:
    current_task().sleep(TIMEOUT)


def fail() -> None:
    raise PlantedError


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def check_gone(references: Refs) -> None:
    """They go when the threads have let go of their tasks, a moment after these have ended."""
    end = time.monotonic() + TIMEOUT
    while (left := [each() for each in references if each() is not None]) and (
        time.monotonic() < end
    ):
        del left
        time.sleep(0.001)
    assert left == []


def refer_to(*objects: Any) -> Refs:
    return [weakref.ref(each) for each in objects]


def cut_short(pool: ThreadPool) -> Refs:
    with pool.task_group() as group:
        future = group.submit(cooperate)
        with move_on_after(0.005) as scope:
            future.result()
        group.cancel()
    return refer_to(scope, group, future, scope._node)


def failing(pool: ThreadPool) -> Refs:
    try:
        with pool.task_group() as group:
            future = group.submit(fail)
    except ExceptionGroup as error:
        return refer_to(group, future, error.exceptions[0])
    raise AssertionError("nothing was raised")


async def cut_short_async(pool: ThreadPool) -> Refs:
    with CancelScope() as scope:
        async with pool.task_group() as group:
            future = group.submit(cooperate)
            group.submit(scope.cancel)
            await future
    return refer_to(scope, group, future, scope._node)


async def failing_async(pool: ThreadPool) -> Refs:
    try:
        async with pool.task_group() as group:
            future = group.submit(fail)
            await anyio.sleep_forever()
    except ExceptionGroup as error:
        return refer_to(group, future, error.exceptions[0])
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("block", [cut_short, failing])
def test_in_threads(pool: ThreadPool, block: Any) -> None:
    for _ in range(20):
        check_gone(block(pool))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("block", [cut_short_async, failing_async])
def test_in_coroutines(pool: ThreadPool, block: Any, backend: str) -> None:
    for _ in range(20):
        check_gone(anyio.run(block, pool, backend=backend))
