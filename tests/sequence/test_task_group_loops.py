"""Task groups beside what asyncio and trio have of their own: timeouts, groups, cancellations."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest
import trio

from mojo_seq import CancelledError, CancelScope, ThreadPool, current_task, move_on_after

TIMEOUT = 30.0
SOON = 0.1


def cooperate() -> None:
    """Goes on until it is cancelled."""
    current_task().sleep(TIMEOUT)
    raise AssertionError("was not cancelled")


async def until(event: threading.Event) -> None:
    """Waits for a thread, without another one, which trio would keep."""
    while not event.is_set():
        await anyio.sleep(0.001)


def test_a_cancel_of_the_task_goes_through_groups_and_scopes(pool: ThreadPool) -> None:
    async def work(started: asyncio.Event) -> None:
        with CancelScope():
            async with pool.task_group() as group:
                group.submit(cooperate)
                started.set()
                await asyncio.sleep(TIMEOUT)

    async def main() -> None:
        started = asyncio.Event()
        task = asyncio.create_task(work(started))
        await started.wait()
        task.cancel("mine")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())


def test_a_cancel_of_the_task_wins_over_that_of_a_scope(pool: ThreadPool) -> None:
    async def work(started: asyncio.Event) -> None:
        with CancelScope() as scope:
            async with pool.task_group() as group:
                group.submit(cooperate)
                started.set()
                try:
                    await asyncio.sleep(TIMEOUT)
                finally:
                    scope.cancel()

    async def main() -> None:
        started = asyncio.Event()
        task = asyncio.create_task(work(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_cancelled_error_that_the_group_has_not_caused_goes_through(pool: ThreadPool) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            async with pool.task_group() as group:
                other = group.submit(cooperate)
                awaited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                awaited.cancel()
                await awaited
        assert other.cancelled()

    asyncio.run(main())


def test_with_errors_a_cancel_of_the_task_comes_at_the_next_await(pool: ThreadPool) -> None:
    async def work(started: asyncio.Event) -> str:
        try:
            async with pool.task_group() as group:
                group.submit(cooperate_badly)
                started.set()
                await asyncio.sleep(TIMEOUT)
        except* OSError:
            await asyncio.sleep(0)
        return "not cancelled"

    async def main() -> None:
        started = asyncio.Event()
        task = asyncio.create_task(work(started))
        await started.wait()
        await until(cooperating)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    cooperating.clear()
    asyncio.run(main())


cooperating = threading.Event()


def cooperate_badly() -> None:
    cooperating.set()
    try:
        cooperate()
    except CancelledError:
        raise OSError("cleaning up") from None


def test_the_count_of_cancellations_is_left_as_it_was(pool: ThreadPool) -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        with move_on_after(SOON):
            async with pool.task_group() as group:
                group.submit(cooperate)
                await asyncio.sleep(TIMEOUT)
        assert task.cancelling() == 0
        async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
            await tasks.create_task(asyncio.sleep(0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON), pool.task_group() as group:
                group.submit(cooperate)
                await asyncio.sleep(TIMEOUT)
        assert task.cancelling() == 0

    asyncio.run(main())


def test_a_child_task_is_cancelled_with_the_scope_it_was_made_in(pool: ThreadPool) -> None:
    async def child() -> None:
        async with pool.task_group() as group:
            group.submit(cooperate)
            await asyncio.sleep(TIMEOUT)

    async def main() -> None:
        with CancelScope() as scope:
            task = asyncio.create_task(child())
            await asyncio.sleep(0)
            scope.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(TIMEOUT)
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())


def test_under_trio_errors_and_cancellation_come_together(pool: ThreadPool) -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            with pytest.raises(BaseExceptionGroup) as raised:
                async with pool.task_group() as group:
                    cooperating.clear()
                    group.submit(cooperate_badly)
                    await until(cooperating)
                    scope.cancel()
                    await trio.sleep_forever()
            kinds = {type(error) for error in raised.value.exceptions}
            assert kinds == {OSError, trio.Cancelled}

    trio.run(main)
