"""SequenceEventLoop: closing ends everything, and nothing keeps a loop that nobody has."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
import time
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner, ShutdownError, ThreadPool
from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

TIMEOUT = 30.0
FOREVER = 3600.0
T = TypeVar("T")


def run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(TIMEOUT)


def close(loop: SequenceEventLoop) -> None:
    loop._runner.submit(loop.close).result(TIMEOUT)


@pytest.fixture
def runner(pool: ThreadPool) -> SequencedTaskRunner:
    return pool.create_sequenced_task_runner()


def test_a_closed_loop_refuses_everything(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    close(loop)
    close(loop)
    assert loop.is_closed() and not loop.is_running()
    calls: list[Callable[[], object]] = [
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(1, print),
        lambda: loop.call_at(1, print),
        lambda: loop.run_in_executor(None, print),
        lambda: loop.add_reader(0, print),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            call()
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.create_task(coroutine)
    coroutine.close()


def test_it_cannot_be_closed_from_within(event_loop: SequenceEventLoop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="Cannot close a running"):
            event_loop.close()

    run(event_loop, main())


def test_closing_cancels_tasks_and_lets_them_clean_up(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    ended = list[str]()

    async def waits(name: str) -> None:
        try:
            await asyncio.sleep(FOREVER)
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async def stubborn() -> str:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("not yet")
        return "done"

    async def main() -> None:
        for name in "ab":
            tasks.append(loop.create_task(waits(name)))
        tasks.append(loop.create_task(stubborn()))
        await asyncio.sleep(0.001)

    tasks = list[asyncio.Task[Any]]()
    run(loop, main())
    close(loop)
    assert sorted(ended) == ["a", "b", "not yet", "not yet"]
    assert [task.cancelled() for task in tasks] == [True, True, False]
    assert tasks[2].result() == "done"


def test_a_task_that_never_ends_is_reported(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    reported = list[str]()

    async def refuses() -> None:
        while not let_go:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def spins() -> None:
        while not let_go:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        tasks.extend(loop.create_task(each()) for each in (refuses, spins))

    let_go = False
    tasks = list[asyncio.Task[None]]()
    run(loop, main())
    loop.set_exception_handler(lambda loop, context: reported.append(context["message"]))
    close(loop)
    assert len(reported) == 2 and "goes on" in reported[0]
    let_go = True
    del tasks[:]  # reported once more, as destroyed
    gc.collect()


def test_closing_drops_timers_and_what_is_ready(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    ran = list[int]()

    async def main() -> None:
        loop.call_later(FOREVER, ran.append, 1)

    run(loop, main())
    assert len(loop._timers) == 1
    close(loop)
    assert not loop._timers and not loop._ready and not ran


def test_closing_ends_connections_servers_and_pending_calls(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    ended = list[str]()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.set()
        try:
            await reader.read()
        finally:
            ended.append("serve")
            writer.close()

    async def main() -> tuple[str, int]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address: tuple[str, int] = server.sockets[0].getsockname()
        _, writer = await asyncio.open_connection(*address)
        kept.append(writer)
        waiting.append(loop.create_task(loop.sock_recv(ours, 1)))
        loop.add_writer(theirs, lambda: loop.remove_writer(theirs))
        await serving.wait()
        return address

    serving = asyncio.Event()
    kept = list[asyncio.StreamWriter]()
    waiting = list[asyncio.Task[bytes]]()
    with ours, theirs:
        address = run(loop, main())
        close(loop)
    assert ended == ["serve"] and waiting[0].cancelled()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, TIMEOUT)


def test_closing_kills_subprocesses(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)

    async def main() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "import time; time.sleep(3600)"), stdout=-1
        )

    process = run(loop, main())
    close(loop)
    assert process.returncode == -9


def test_closing_closes_asynchronous_generators(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    closed = list[int]()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(1)

    async def main() -> AsyncGenerator[int, None]:
        generator = numbers()
        await anext(generator)
        return generator

    generator = run(loop, main())
    close(loop)
    assert closed == [1]
    del generator


def test_closing_does_not_wait_for_blocking_calls(runner: SequencedTaskRunner) -> None:
    loop = SequenceEventLoop(runner)
    gate = threading.Event()
    waiting = asyncio.run_coroutine_threadsafe(asyncio.to_thread(gate.wait), loop)
    run(loop, asyncio.sleep(0.001))
    close(loop)
    assert waiting.cancelled()
    gate.set()


@pytest.mark.parametrize("debug", [False, True])
def test_after_a_shutdown_close_ends_what_waits(debug: bool) -> None:
    with ThreadPool(max_workers=2) as pool:
        loop = SequenceEventLoop(pool.create_sequenced_task_runner())
        loop.set_debug(debug)
        ended = list[str]()

        async def waits() -> None:
            try:
                await asyncio.sleep(FOREVER)
            finally:
                ended.append("waits")

        waiting = asyncio.run_coroutine_threadsafe(waits(), loop)
        run(loop, asyncio.sleep(0.001))
    with pytest.raises(ShutdownError):
        loop.call_soon_threadsafe(print)
    with pytest.raises(RuntimeError if debug else ShutdownError):
        loop.call_later(1, print)
    loop.close()
    assert ended == ["waits"] and waiting.cancelled()


def test_a_loop_that_finds_its_sequence_shut_down_closes_itself() -> None:
    pool = ThreadPool(max_workers=2)
    loop = SequenceEventLoop(pool.create_sequenced_task_runner())
    ended = list[str]()
    started, shut_down = threading.Event(), threading.Event()

    async def waits() -> None:
        try:
            await asyncio.sleep(FOREVER)
        finally:
            ended.append("waits")

    async def spins() -> None:
        started.set()
        shut_down.wait()
        try:
            while True:
                await asyncio.sleep(0)
        finally:
            ended.append("spins")

    asyncio.run_coroutine_threadsafe(waits(), loop)
    asyncio.run_coroutine_threadsafe(spins(), loop)
    assert started.wait(TIMEOUT)
    with pytest.raises(TimeoutError):
        pool.shutdown(timeout=0)
    shut_down.set()
    pool.shutdown()
    assert loop.is_closed() and sorted(ended) == ["spins", "waits"]


def test_a_task_of_a_sequence_that_is_shut_down_closes_the_loop() -> None:
    pool = ThreadPool(max_workers=2)
    runner = pool.create_sequenced_task_runner()
    loop = SequenceEventLoop(runner)
    entered, shut_down = threading.Event(), threading.Event()

    def task() -> None:
        entered.set()
        shut_down.wait()
        loop.call_soon(print)

    future = runner.submit(task)
    assert entered.wait(TIMEOUT)
    with pytest.raises(TimeoutError):
        pool.shutdown(timeout=0)
    shut_down.set()
    with pytest.raises(ShutdownError):
        future.result(TIMEOUT)
    pool.shutdown()
    assert loop.is_closed()


@pytest.mark.parametrize("used", ["never", "timer", "task", "io", "executor"])
def test_a_dropped_loop_is_gone_and_warns(runner: SequencedTaskRunner, used: str) -> None:
    ours, theirs = socket.socketpair()

    async def waits() -> None:
        await asyncio.sleep(FOREVER)

    async def use(loop: SequenceEventLoop) -> None:
        if used == "timer":
            loop.call_later(FOREVER, print)
        elif used == "task":
            task = loop.create_task(waits())
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        elif used == "io":
            loop.add_reader(ours, print)
        elif used == "executor":
            await asyncio.to_thread(int)

    with ours, theirs, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop = SequenceEventLoop(runner)
        gone = weakref.ref(loop)
        if used != "never":
            run(loop, use(loop))
        del loop
        deadline = time.monotonic() + TIMEOUT
        messages = list[str]()
        while gone() is not None and time.monotonic() < deadline:
            runner.submit(gc.collect).result(TIMEOUT)
            messages += [str(each.message) for each in caught]
            caught.clear()  # a warning keeps what it is about
        assert gone() is None
        messages += [str(each.message) for each in caught]
        assert len(messages) == 1 and "unclosed event loop" in messages[0]


def test_a_dropped_loop_is_closed_with_a_warning(runner: SequencedTaskRunner) -> None:
    with pytest.warns(ResourceWarning, match="unclosed event loop") as caught:
        SequenceEventLoop(runner)
    loop = caught.list[0].source
    assert isinstance(loop, SequenceEventLoop) and loop.is_closed()


def test_what_is_ready_keeps_the_loop() -> None:
    own = RunLoop()
    loop = SequenceEventLoop(own.task_runner)
    ran = list[int]()
    loop.call_soon_threadsafe(ran.append, 1)
    loop.call_soon_threadsafe(loop.call_soon, ran.append, 2)
    del loop
    gc.collect()
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        own.run_until_idle()
    assert ran == [1, 2]


def test_what_a_dropped_run_loop_had_to_do_is_collected() -> None:
    own = RunLoop()
    loop = SequenceEventLoop(own.task_runner)
    loop.call_soon_threadsafe(print)
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del own, loop
        gc.collect()
