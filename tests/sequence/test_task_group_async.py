"""Task groups in coroutines, under asyncio and trio: the same, and no loop is blocked (public
contract §12)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio

from mojo_seq import (
    CancelledError,
    CancelScope,
    DeadlineExceededError,
    ThreadPool,
    check_cancelled,
    current_task,
    fail_after,
    move_on_after,
)

TIMEOUT = 30.0
SOON = 0.1

Run = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(backend: str) -> Run:
    """Runs a coroutine function to its end."""

    def run_it(main: Callable[[], Awaitable[object]]) -> None:
        async def all_of_it() -> None:
            await main()

        asyncio.run(all_of_it()) if backend == "asyncio" else trio.run(all_of_it)

    return run_it


def cooperate() -> None:
    """Goes on until it is cancelled."""
    current_task().sleep(TIMEOUT)
    raise AssertionError("was not cancelled")


def fail(message: str) -> None:
    raise LookupError(message)


async def until(event: threading.Event) -> None:
    """Waits for a thread, without another one, which trio would keep."""
    while not event.is_set():
        await anyio.sleep(0.001)


def test_tasks_are_awaited(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        async with pool.task_group() as group:
            futures = [group.submit(pow, 2, number) for number in range(10)]
            assert await futures[3] == 8
            assert await futures[3] == 8
        assert [future.result() for future in futures] == [2**number for number in range(10)]

    run(main)


def test_the_loop_goes_on_while_the_block_ends(pool: ThreadPool, run: Run) -> None:
    gate = threading.Event()

    async def open_it() -> None:
        await anyio.sleep(0)
        gate.set()

    async def main() -> None:
        async with anyio.create_task_group() as tasks, pool.task_group() as group:
            group.submit(gate.wait, TIMEOUT)
            tasks.start_soon(open_it)

    run(main)


def test_a_failure_cancels_the_body(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            async with pool.task_group() as group:
                other = group.submit(cooperate)
                group.submit(fail, "mine")
                await anyio.sleep_forever()
        assert [str(error) for error in raised.value.exceptions] == ["mine"]
        assert other.cancelled()
        await anyio.sleep(0)  # nothing of the cancellation is left

    run(main)


def test_an_awaited_error_is_there_once(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            async with pool.task_group() as group:
                await group.submit(fail, "mine")
        assert len(raised.value.exceptions) == 1

    run(main)


def test_the_bodys_error_is_in_the_group(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            async with pool.task_group() as group:
                future = group.submit(cooperate)
                raise KeyError("body")
        assert [type(error) for error in raised.value.exceptions] == [KeyError]
        assert future.cancelled()

    run(main)


def test_cancel_ends_body_and_block_quietly(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        reached = False
        async with pool.task_group() as group:
            future = group.submit(cooperate)
            group.cancel()
            await anyio.sleep_forever()
            reached = True
        assert not reached and future.cancelled()
        await anyio.sleep(0)

    run(main)


def test_a_task_cancels_the_body(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        async with pool.task_group() as group:
            group.submit(group.cancel)
            await anyio.sleep_forever()

    run(main)


def test_the_body_is_cancelled_at_each_await(pool: ThreadPool, run: Run, backend: str) -> None:
    kind = asyncio.CancelledError if backend == "asyncio" else trio.Cancelled
    caught = list[int]()

    async def main() -> None:
        async with pool.task_group() as group:
            group.cancel()
            for attempt in range(3):
                try:
                    await anyio.sleep_forever()
                except kind:
                    caught.append(attempt)
                with pytest.raises(CancelledError):
                    check_cancelled()
                with pytest.raises(CancelledError):
                    group.submit(cooperate)
        await anyio.sleep(0)

    run(main)
    assert caught == [0, 1, 2]


def test_a_deadline_ends_body_and_tasks(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        with move_on_after(SOON) as scope:
            async with pool.task_group() as group:
                future = group.submit(cooperate)
                await anyio.sleep_forever()
        assert scope.cancelled_caught and future.cancelled()
        with pytest.raises(DeadlineExceededError), fail_after(SOON):
            async with pool.task_group() as group:
                future = group.submit(cooperate)
                await future
        assert future.cancelled()
        await anyio.sleep(0)

    run(main)


def test_a_deadline_passes_while_the_block_ends(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        with move_on_after(SOON) as scope:
            async with pool.task_group() as group:
                future = group.submit(cooperate)
        assert scope.cancelled_caught and future.cancelled()

    run(main)


def test_scopes_nest_and_the_outermost_that_is_cancelled_takes_it(
    pool: ThreadPool, run: Run
) -> None:
    async def main() -> None:
        with CancelScope() as outer, CancelScope() as middle:
            with CancelScope() as inner:
                async with pool.task_group() as group:
                    group.submit(cooperate)
                    inner.cancel()
                    middle.cancel()
                    await anyio.sleep_forever()
            raise AssertionError("the middle one takes it")
        assert (outer.cancelled_caught, middle.cancelled_caught) == (False, True)
        assert not inner.cancelled_caught
        await anyio.sleep(0)

    run(main)


def test_groups_nest(pool: ThreadPool, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as raised:
            async with pool.task_group() as outer, pool.task_group() as inner:
                future = inner.submit(cooperate)
                outer.submit(fail, "outer")
                await anyio.sleep_forever()
        assert [str(error) for error in raised.value.exceptions] == ["outer"]
        assert future.cancelled()

    run(main)


@pytest.mark.parametrize("inner_run", ["asyncio", "trio"])
def test_a_tasks_own_loop_is_cancelled_with_it(pool: ThreadPool, run: Run, inner_run: str) -> None:
    started = threading.Event()

    async def wait_in_vain() -> None:
        async with pool.task_group() as group:
            group.submit(started.set)
            group.submit(cooperate)
            await anyio.sleep_forever()

    async def main() -> None:
        async with pool.task_group() as group:
            future = group.submit(lambda: anyio.run(wait_in_vain, backend=inner_run))
            await until(started)
            group.cancel()
        assert future.cancelled()

    run(main)


def test_cancellation_from_outside_is_passed_on(pool: ThreadPool, run: Run) -> None:
    futures = list[Any]()

    async def main() -> None:
        with anyio.move_on_after(SOON) as scope:
            async with pool.task_group() as group:
                futures.append(group.submit(cooperate))
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        with anyio.move_on_after(SOON) as scope:
            async with pool.task_group() as group:
                futures.append(group.submit(cooperate))
        assert scope.cancelled_caught
        await anyio.sleep(0)

    run(main)
    assert all(future.cancelled() for future in futures)


def test_awaiting_a_cancelled_task(pool: ThreadPool, run: Run, backend: str) -> None:
    kind = asyncio.CancelledError if backend == "asyncio" else concurrent.futures.CancelledError

    async def main() -> None:
        async with pool.task_group() as group:
            future = group.submit(cooperate)
            future.request_cancel()
            with pytest.raises(kind):
                await future

    run(main)


def test_giving_up_waiting_takes_back_a_task_that_has_not_begun(run: Run) -> None:
    gate, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        gate.wait(TIMEOUT)

    async def main() -> None:
        with ThreadPool(1) as pool:
            async with pool.task_group() as group:
                group.submit(block)
                waiting = group.submit(fail, "never run")
                await until(entered)
                with anyio.move_on_after(SOON):
                    await waiting
                assert waiting.cancelled()
                gate.set()

    run(main)


def test_outside_of_event_loops_there_is_no_async_with(pool: ThreadPool) -> None:
    async def main() -> None:
        async with pool.task_group():
            raise AssertionError("nobody runs this")

    coroutine = main()
    with pytest.raises(RuntimeError, match="asyncio and trio"):
        coroutine.send(None)
