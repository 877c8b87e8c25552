"""aio.wait in an event loop: asyncio, trio, anyio (public contract §9, system rules §11)."""

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    Result,
    Signals,
    aio,
    create_data_pipe,
    wrap_fd,
)

Run = Callable[[Callable[[], Awaitable[None]]], None]
TIMEOUT = 30.0


async def yield_a_few_times() -> None:
    """Lets the other tasks run until they wait for something."""
    for _ in range(10):
        await anyio.sleep(0)


def test_wait_returns_at_once_when_satisfied(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: aio.wait answers like wait.
    async def main() -> None:
        result, state = await aio.wait(pipe.handle0, Signals.WRITABLE)
        assert result is Result.OK and state.writable

    run(main)


def test_wait_returns_at_once_when_impossible(run: Run, pipe: MessagePipe) -> None:
    # System rules §11: FAILED_PRECONDITION is returned.
    async def main() -> None:
        pipe.handle1.close()
        result, state = await aio.wait(pipe.handle0, Signals.READABLE)
        assert result is Result.FAILED_PRECONDITION and state.peer_closed

    run(main)


def test_wait_suspends_only_its_own_task(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: the loop runs on, and another task's write ends the wait.
    async def main() -> None:
        order: list[str] = []

        async def waiter() -> None:
            result, state = await aio.wait(pipe.handle0, Signals.READABLE)
            assert result is Result.OK and state.readable
            order.append("woken")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waiter)
            await yield_a_few_times()
            order.append("writing")
            pipe.handle1.write(b"x")
        assert order == ["writing", "woken"]

    run(main)


def test_wait_is_ended_by_another_thread(run: Run, pipe: MessagePipe) -> None:
    # System rules §9.3: the change may be made on any thread; the task wakes on its loop.
    async def main() -> None:
        started = threading.Event()

        def write() -> None:
            assert started.wait(TIMEOUT)
            pipe.handle1.write(b"x")

        with ThreadPoolExecutor(1) as executor:
            writing = executor.submit(write)
            here = threading.get_ident()
            started.set()
            assert (await aio.wait(pipe.handle0, Signals.READABLE))[0] is Result.OK
            assert threading.get_ident() == here
            writing.result(TIMEOUT)

    run(main)


def test_wait_is_cancelled_by_closing_the_handle(run: Run, pipe: MessagePipe) -> None:
    # System rules §11: CANCELLED, as an answer.
    async def main() -> None:
        answers: list[Result] = []

        async def waiter() -> None:
            answers.append((await aio.wait(pipe.handle0, Signals.READABLE))[0])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waiter)
            await yield_a_few_times()
            pipe.handle0.close()
        assert answers == [Result.CANCELLED]

    run(main)


def test_wait_refuses_what_cannot_be_watched(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: closed or unwatchable -> InvalidArgumentError.
    async def main() -> None:
        pipe.handle0.close()
        with pytest.raises(InvalidArgumentError):
            await aio.wait(pipe.handle0, Signals.READABLE)
        with (
            wrap_fd(os.open(os.devnull, os.O_RDONLY)) as platform,
            pytest.raises(InvalidArgumentError),
        ):
            await aio.wait(platform, Signals.READABLE)

    run(main)


def test_wait_works_for_data_pipes(run: Run) -> None:
    # Public contract §9: any handle with signals.
    async def main() -> None:
        producer, consumer = create_data_pipe(16)

        async def waiter() -> None:
            assert (await aio.wait(consumer, Signals.READABLE))[0] is Result.OK
            assert consumer.read() == b"abc"

        with producer, consumer:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(waiter)
                await yield_a_few_times()
                producer.write(b"abc")

    run(main)


def test_an_abandoned_wait_leaves_nothing_behind(run: Run, pipe: MessagePipe) -> None:
    # Public contract §9: cancelling the task ends its watch; the handle can be used on.
    async def main() -> None:
        for _ in range(10):
            with anyio.move_on_after(0.001) as scope:
                await aio.wait(pipe.handle0, Signals.READABLE)
            assert scope.cancelled_caught
        pipe.handle1.write(b"x")
        assert (await aio.wait(pipe.handle0, Signals.READABLE))[0] is Result.OK

    run(main)


def test_many_tasks_wait_for_one_handle(run: Run, pipe: MessagePipe) -> None:
    # System rules §9.1: one handle may be watched by many.
    async def main() -> None:
        woken: list[Result] = []

        async def waiter() -> None:
            woken.append((await aio.wait(pipe.handle0, Signals.READABLE))[0])

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(waiter)
            await yield_a_few_times()
            pipe.handle1.write(b"x")
        assert woken == [Result.OK] * 20

    run(main)
