"""The pool under asyncio: run_in_executor, wrap_future, cancelling, many at a time."""

from __future__ import annotations

import asyncio

import executor_tasks as tasks
import pytest
from gate import Gate, pass_through

from mojo_seq import ProcessPool, WorkerDiedError

TIMEOUT = 30.0


def test_run_in_executor(pool: ProcessPool) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, pow, 2, 8)

    assert asyncio.run(main()) == 256


def test_the_loop_goes_on_meanwhile(pool: ProcessPool, gate: Gate) -> None:
    async def main() -> object:
        future = asyncio.get_running_loop().run_in_executor(pool, pass_through, gate.path, 5)
        await asyncio.to_thread(gate.next_begun)
        assert not future.done()
        gate.open()
        return await future

    assert asyncio.run(main()) == 5


def test_many_at_a_time(pool: ProcessPool) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        futures = [loop.run_in_executor(pool, tasks.multiply, n, n) for n in range(300)]
        return await asyncio.gather(*futures)

    assert asyncio.run(main()) == [n * n for n in range(300)]


def test_exceptions_are_raised_where_it_is_awaited(pool: ProcessPool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(pool, tasks.divide, 1, 0)
        with pytest.raises(WorkerDiedError):
            await loop.run_in_executor(pool, tasks.die_by_exit)
        assert await loop.run_in_executor(pool, len, "abc") == 3

    asyncio.run(main())


def test_what_cannot_be_pickled_is_an_error_there(pool: ProcessPool) -> None:
    async def main() -> None:
        with pytest.raises(Exception, match="not to be pickled"):
            await asyncio.get_running_loop().run_in_executor(
                pool, tasks.capture, tasks.Unpicklable()
            )

    asyncio.run(main())


def test_wrap_future(pool: ProcessPool) -> None:
    async def main() -> int:
        return await asyncio.wrap_future(pool.submit(len, "abc"))

    assert asyncio.run(main()) == 3


def test_cancelling_the_asyncio_future_cancels_what_has_not_begun(gate: Gate) -> None:
    async def main(pool: ProcessPool) -> None:
        first = pool.submit(pass_through, gate.path)
        await asyncio.to_thread(gate.next_begun)
        inner = pool.submit(pass_through, gate.path)
        outer = asyncio.wrap_future(inner)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        await asyncio.sleep(0)  # asyncio tells the other one in a callback
        assert inner.cancelled()
        gate.open()
        await asyncio.wrap_future(first)

    with ProcessPool(1) as pool, gate:
        asyncio.run(main(pool))
    assert gate.none_has_begun()


def test_cancelling_the_pools_future_cancels_the_one_that_is_awaited(gate: Gate) -> None:
    async def main(pool: ProcessPool) -> None:
        first = pool.submit(pass_through, gate.path)
        await asyncio.to_thread(gate.next_begun)
        inner = pool.submit(pass_through, gate.path)
        outer = asyncio.wrap_future(inner)
        inner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        gate.open()
        await asyncio.wrap_future(first)

    with ProcessPool(1) as pool, gate:
        asyncio.run(main(pool))


def test_a_timeout_leaves_what_runs_to_itself(pool: ProcessPool, gate: Gate) -> None:
    async def main() -> None:
        inner = pool.submit(pass_through, gate.path, 5)
        await asyncio.to_thread(gate.next_begun)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(inner), 0.01)
        assert not inner.cancelled()
        gate.open()
        assert await asyncio.wrap_future(inner) == 5

    asyncio.run(main())


def test_a_task_group_of_asyncio(pool: ProcessPool) -> None:
    async def square(number: int) -> int:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, tasks.multiply, number, number)

    async def main() -> list[int]:
        async with asyncio.TaskGroup() as group:
            found = [group.create_task(square(number)) for number in range(20)]
        return [each.result() for each in found]

    assert asyncio.run(main()) == [n * n for n in range(20)]


def test_the_loop_may_end_while_a_task_runs(gate: Gate) -> None:
    """Its result is nobody's then; that is no error."""

    async def main(pool: ProcessPool) -> None:
        asyncio.get_running_loop().run_in_executor(pool, pass_through, gate.path)
        await asyncio.to_thread(gate.next_begun)

    with ProcessPool(1) as pool, gate:
        asyncio.run(main(pool))
        gate.open()
