"""SequenceEventLoop: what asyncio offers works on a sequence."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from mojo_seq import AsyncioTaskRunner, RunLoop, SequencedTaskRunner, ThreadPool
from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop, event_loop_of
from mojo_seq.testing import TaskEnvironment

TIMEOUT = 30.0
FOREVER = 3600.0
T = TypeVar("T")


def run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(TIMEOUT)


def test_coroutines_run_on_the_sequence(event_loop: SequenceEventLoop) -> None:
    async def main() -> list[bool]:
        seen = []
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(event_loop._runner.runs_tasks_in_current_sequence())
            seen.append(asyncio.get_running_loop() is event_loop)
            seen.append(event_loop.is_running())
        return seen

    assert run(event_loop, main()) == [True] * 9
    assert event_loop._runner.submit(asyncio._get_running_loop).result(TIMEOUT) is None
    assert not event_loop._runner.submit(event_loop.is_running).result(TIMEOUT)


def test_sleeping_takes_its_time_and_keeps_order(event_loop: SequenceEventLoop) -> None:
    order = list[str]()

    async def sleeper(delay: float, name: str) -> None:
        await asyncio.sleep(delay)
        order.append(name)

    async def main() -> float:
        start = event_loop.time()
        await asyncio.gather(sleeper(0.03, "late"), sleeper(0.01, "early"), sleeper(0, "at once"))
        return event_loop.time() - start

    assert run(event_loop, main()) >= 0.03
    assert order == ["at once", "early", "late"]


def test_wait_for_and_timeout_end_what_takes_too_long(event_loop: SequenceEventLoop) -> None:
    async def main() -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(FOREVER), 0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(FOREVER)
        async with asyncio.timeout(FOREVER):
            return await asyncio.wait_for(asyncio.sleep(0, "in time"), FOREVER)

    assert run(event_loop, main()) == "in time"
    assert not event_loop._timers  # cancelled ones do not stay


def test_task_groups_gather_failures(event_loop: SequenceEventLoop) -> None:
    cancelled = list[str]()

    async def waits() -> None:
        try:
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError:
            cancelled.append("waits")
            raise

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("no")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(waits())
            group.create_task(fails())

    with pytest.raises(ExceptionGroup) as raised:
        run(event_loop, main())
    assert raised.group_contains(LookupError, match="no")
    assert cancelled == ["waits"]


def test_primitives_wake_their_waiters_in_order(event_loop: SequenceEventLoop) -> None:
    async def main() -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        lock, event, got = asyncio.Lock(), asyncio.Event(), list[int]()

        async def producer() -> None:
            for number in range(20):
                async with lock:
                    await queue.put(number)
            event.set()

        async def consumer() -> None:
            while not (event.is_set() and queue.empty()):
                got.append(await queue.get())

        await asyncio.gather(producer(), consumer())
        return got

    assert run(event_loop, main()) == list(range(20))


def test_blocking_calls_run_elsewhere(event_loop: SequenceEventLoop) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main() -> tuple[int, str, str]:
        variable.set("travels")
        thread = await asyncio.to_thread(threading.get_ident)
        name = await asyncio.to_thread(variable.get)
        with ThreadPoolExecutor(1) as own:
            return thread, name, await event_loop.run_in_executor(own, str, 5)

    thread, name, text = run(event_loop, main())
    assert thread != event_loop._runner.submit(threading.get_ident).result(TIMEOUT)
    assert (name, text) == ("travels", "5")


def test_loops_share_the_threads_for_blocking_calls(pool: ThreadPool) -> None:
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(50)]
    threads = {run(loop, asyncio.to_thread(threading.get_ident)) for loop in loops}
    assert len(threads) < len(loops)
    run(loops[0], loops[0].shutdown_default_executor())
    with pytest.raises(RuntimeError, match="Executor shutdown"):
        run(loops[0], asyncio.to_thread(int))
    assert run(loops[1], asyncio.to_thread(int)) == 0
    for loop in loops:
        loop._runner.submit(loop.close).result(TIMEOUT)


def test_an_executor_that_is_given_is_used_and_shut_down(pool: ThreadPool) -> None:
    runner = pool.create_sequenced_task_runner()
    loop = SequenceEventLoop(runner)
    own = ThreadPoolExecutor(1, thread_name_prefix="own")
    loop.set_default_executor(own)
    name = run(loop, asyncio.to_thread(lambda: threading.current_thread().name))
    assert name.startswith("own")
    runner.submit(loop.close).result(TIMEOUT)
    with pytest.raises(RuntimeError):
        own.submit(int)


def test_callbacks_come_in_order_and_can_be_cancelled(event_loop: SequenceEventLoop) -> None:
    async def main() -> list[int]:
        seen, done = list[int](), asyncio.Event()
        for number in range(5):
            handle = event_loop.call_soon(seen.append, number)
            if number % 2:
                handle.cancel()
        timer = event_loop.call_later(0, seen.append, 6)
        timer.cancel()
        assert timer.cancelled() and timer.when() <= event_loop.time()
        event_loop.call_later(0.01, done.set)
        await done.wait()
        return seen

    assert run(event_loop, main()) == [0, 2, 4]


def test_timers_that_look_the_same_are_two(event_loop: SequenceEventLoop) -> None:
    async def main() -> list[int]:
        seen, done = list[int](), asyncio.Event()
        when = event_loop.time() + 0.01
        event_loop.call_at(when, seen.append, 1)
        event_loop.call_at(when, seen.append, 1)
        event_loop.call_at(when, done.set)
        await done.wait()
        return seen

    assert run(event_loop, main()) == [1, 1]


def test_any_delay_is_accepted(event_loop: SequenceEventLoop) -> None:
    async def main() -> None:
        for delay in (1e300, float("inf")):
            event_loop.call_later(delay, print).cancel()
        done = asyncio.Event()
        event_loop.call_later(-5, done.set)
        await done.wait()

    run(event_loop, main())


def test_context_variables_are_those_of_the_caller(event_loop: SequenceEventLoop) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    async def child() -> int:
        variable.set(variable.get() + 1)
        await asyncio.sleep(0)
        return variable.get()

    async def main() -> tuple[list[int], int, list[int]]:
        variable.set(10)
        inherited = list(await asyncio.gather(child(), child()))
        seen = list[int]()
        context = contextvars.copy_context()
        context.run(variable.set, 99)
        event_loop.call_soon(lambda: seen.append(variable.get()), context=context)
        event_loop.call_later(0, lambda: seen.append(variable.get()))
        await asyncio.sleep(0.01)
        return inherited, variable.get(), seen

    assert run(event_loop, main()) == ([11, 11], 10, [99, 10])


def test_exceptions_of_callbacks_go_to_the_handler(event_loop: SequenceEventLoop) -> None:
    seen = list[object]()

    async def main() -> None:
        event_loop.set_exception_handler(lambda loop, context: seen.append(context["exception"]))
        event_loop.call_soon(int, "no number")
        event_loop.call_later(0, int, "no number")
        await asyncio.sleep(0.01)

    run(event_loop, main())
    assert [type(each) for each in seen] == [ValueError, ValueError]
    event_loop.set_exception_handler(None)


def test_what_ends_programs_does_not_end_the_loop(
    pool: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    loop = SequenceEventLoop(pool.create_sequenced_task_runner())
    seen = list[int]()

    def leave() -> None:
        raise SystemExit(3)

    loop.call_soon_threadsafe(leave)
    loop.call_soon_threadsafe(seen.append, 1)
    run(loop, asyncio.sleep(0))
    assert seen == [1]
    assert "SystemExit" in caplog.text
    loop._runner.submit(loop.close).result(TIMEOUT)


def test_other_tasks_of_the_sequence_get_their_turn(event_loop: SequenceEventLoop) -> None:
    async def main() -> int:
        came = list[int]()
        event_loop._runner.post_task(came.append, 1)
        for turns in range(1000):
            if came:
                return turns
            await asyncio.sleep(0)
        return 1000

    assert run(event_loop, main()) < 1000


def test_another_loop_may_be_running_on_the_thread() -> None:
    own = RunLoop()
    loop = SequenceEventLoop(own.task_runner)

    async def inner() -> bool:
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is loop

    async def outer() -> bool:
        future = asyncio.run_coroutine_threadsafe(inner(), loop)
        own.run_until_idle()
        assert asyncio.get_running_loop() is not loop
        return future.result(0)

    assert asyncio.run(outer())
    loop.close()


def test_asynchronous_generators_that_are_dropped_are_closed(event_loop: SequenceEventLoop) -> None:
    closed = threading.Event()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.set()

    async def main() -> None:
        async for _number in numbers():
            break
        gc.collect()

    run(event_loop, main())
    assert closed.wait(TIMEOUT)


def test_debug_mode_finds_misuse(
    event_loop: SequenceEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    event_loop.set_debug(True)
    event_loop.slow_callback_duration = 0.0

    async def main() -> None:
        await asyncio.sleep(0.001)
        with pytest.raises(TypeError, match="callable"):
            event_loop.call_soon(None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="coroutines"):
            event_loop.call_later(1, main)

    run(event_loop, main())
    with pytest.raises(RuntimeError, match="Non-thread-safe"):
        event_loop.call_soon(print)
    with pytest.raises(RuntimeError, match="Non-thread-safe"):
        event_loop.call_later(1, print)
    assert run(event_loop, asyncio.sleep(0.001, "works")) == "works"
    assert "Executing" in caplog.text
    event_loop.set_debug(False)


def test_debug_mode_tells_where_a_callback_comes_from(event_loop: SequenceEventLoop) -> None:
    event_loop.set_debug(True)

    async def main() -> list[str]:
        made = [event_loop.call_soon(int), event_loop.call_later(FOREVER, int)]
        made.append(event_loop.call_soon_threadsafe(int))
        made[1].cancel()
        return [repr(each) for each in made]

    for text in run(event_loop, main()):
        assert f"created at {__file__}" in text
    event_loop.set_debug(False)


@pytest.mark.parametrize("name", ["run_forever", "stop"])
def test_running_it_is_refused(pool: ThreadPool, name: str) -> None:
    loop = SequenceEventLoop(pool.create_sequenced_task_runner())
    with pytest.raises(RuntimeError, match="by its sequence"):
        getattr(loop, name)()
    with pytest.raises(RuntimeError, match="by its sequence"):
        loop.run_until_complete(asyncio.sleep(0))  # also closes the coroutine, or it would warn
    with pytest.raises(RuntimeError, match="signals"):
        loop.add_signal_handler(15, print)
    loop.close()


def test_it_needs_a_task_runner() -> None:
    with pytest.raises(TypeError, match="must be a SequencedTaskRunner, not int"):
        SequenceEventLoop(5)  # type: ignore[arg-type]


def test_a_task_runner_on_asyncio_has_its_own_loop(pool: ThreadPool) -> None:
    async def main() -> None:
        assert event_loop_of(AsyncioTaskRunner()) is asyncio.get_running_loop()

    asyncio.run(main())
    runner: SequencedTaskRunner = pool.create_sequenced_task_runner()
    first, second = event_loop_of(runner), event_loop_of(runner)
    assert first is not second
    assert run(first, asyncio.sleep(0, 1)) + run(second, asyncio.sleep(0, 2)) == 3
    for loop in (first, second):
        runner.submit(loop.close).result(TIMEOUT)


def test_on_mock_time() -> None:
    with TaskEnvironment() as environment, ThreadPool() as pool:
        loop = SequenceEventLoop(pool.create_sequenced_task_runner())
        begun = environment.now()

        async def main() -> float:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(FOREVER):
                    await asyncio.sleep(2 * FOREVER)
            await asyncio.gather(*(asyncio.sleep(hours * FOREVER) for hours in range(24)))
            return loop.time() - begun

        future = asyncio.run_coroutine_threadsafe(main(), loop)
        environment.advance(24 * FOREVER + 1)
        assert future.result(0) == pytest.approx(24 * FOREVER)
        loop._runner.submit(loop.close).result()


def test_its_clock_is_that_of_delayed_tasks(event_loop: SequenceEventLoop) -> None:
    before = time.monotonic()
    assert before <= event_loop.time() <= time.monotonic()
