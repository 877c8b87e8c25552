"""SequenceEventLoop: sockets, pipes and subprocesses, by one thread for all loops."""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mojo_seq import RunLoop, ThreadPool
from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

TIMEOUT = 30.0
T = TypeVar("T")


def run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(TIMEOUT)


def selector_threads() -> int:
    return sum(each.name == "mojo_seq-selector" for each in threading.enumerate())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.CancelledError):  # asyncio 3.11 stumbles over a cancelled handler
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
    writer.close()


async def ask(address: Any, lines: int) -> list[bytes]:
    reader, writer = await asyncio.open_connection(*address)
    answers = []
    for number in range(lines):
        writer.write(b"line %d\n" % number)
        answers.append(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return answers


def test_a_server_and_its_clients(event_loop: SequenceEventLoop) -> None:
    async def main() -> list[list[bytes]]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()
            return await asyncio.gather(*(ask(address, 20) for _ in range(5)))

    expected = [b"LINE %d\n" % number for number in range(20)]
    assert run(event_loop, main()) == [expected] * 5


def test_much_data_through_a_connection(event_loop: SequenceEventLoop) -> None:
    size = 8 << 20

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * size)
        await writer.drain()
        writer.close()

    async def main() -> int:
        async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            received = len(await reader.read(-1))
            writer.close()
            await writer.wait_closed()
            return received

    assert run(event_loop, main()) == size


def test_unix_sockets(event_loop: SequenceEventLoop, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> bytes:
        async with await asyncio.start_unix_server(echo, path):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"over a path\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return answer

    assert run(event_loop, main()) == b"OVER A PATH\n"


def test_raw_sockets(event_loop: SequenceEventLoop) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)

    async def main() -> bytes:
        receiving = event_loop.create_task(event_loop.sock_recv(ours, 100))
        await asyncio.sleep(0)
        await event_loop.sock_sendall(theirs, b"sent")
        return await receiving

    with ours, theirs:
        for _ in range(3):
            assert run(event_loop, main()) == b"sent"


def test_readers_and_writers_are_called_until_they_are_removed(
    event_loop: SequenceEventLoop,
) -> None:
    ours, theirs = socket.socketpair()

    async def main() -> tuple[int, int]:
        calls, writable = 0, 0
        enough = event_loop.create_future()

        def on_readable() -> None:
            nonlocal calls
            calls += 1  # reads nothing: it stays readable
            if calls == 5 and not enough.done():
                enough.set_result(None)

        def on_writable() -> None:
            nonlocal writable
            writable += 1
            event_loop.remove_writer(ours)

        event_loop.add_reader(ours, on_readable)
        event_loop.add_writer(ours, on_writable)
        theirs.send(b"something")
        await enough
        assert event_loop.remove_reader(ours)
        assert not event_loop.remove_reader(ours)
        assert not event_loop.remove_writer(ours)
        seen = calls
        await asyncio.sleep(0.01)
        return calls - seen, writable

    with ours, theirs:
        assert run(event_loop, main()) == (0, 1)


def test_a_descriptor_that_cannot_be_watched(event_loop: SequenceEventLoop, tmp_path: Path) -> None:
    async def main() -> None:
        with (tmp_path / "file").open("wb") as file, pytest.raises(PermissionError):
            event_loop.add_reader(file, print)
        with pytest.raises(ValueError):
            event_loop.add_reader(-1, print)
        assert not event_loop.remove_reader(0)

    run(event_loop, main())


def test_a_subprocess(event_loop: SequenceEventLoop) -> None:
    async def main() -> tuple[bytes, int | None]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "print(input()[::-1])"), stdin=-1, stdout=-1
        )
        out, _ = await process.communicate(b"mirror\n")
        return out, process.returncode

    assert run(event_loop, main()) == (b"rorrim\n", 0)


def test_no_thread_nor_descriptor_before_io_is_used(pool: ThreadPool) -> None:
    before = len(os.listdir("/proc/self/fd"))
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(100)]
    for loop in loops:
        run(loop, asyncio.sleep(0.001))
    assert len(os.listdir("/proc/self/fd")) == before
    assert selector_threads() == 0
    assert loops[0]._selector.get_map() == {} and loops[0]._selector.select(0) == []
    for ask_for in (loops[0]._selector.get_key, loops[0]._selector.unregister):
        with pytest.raises(KeyError):
            ask_for(0)
    for loop in loops:
        loop._runner.submit(loop.close).result(TIMEOUT)


def test_all_loops_share_one_thread(pool: ThreadPool) -> None:
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(20)]

    async def serve() -> asyncio.Server:
        return await asyncio.start_server(echo, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()

    servers = [run(loop, serve()) for loop in loops[::2]]
    asked = [
        asyncio.run_coroutine_threadsafe(ask(server.sockets[0].getsockname(), 10), loop)
        for server, loop in zip(servers, loops[1::2], strict=True)
    ]
    assert all(len(each.result(TIMEOUT)) == 10 for each in asked)
    assert selector_threads() == 1
    for loop, server in zip(loops[::2], servers, strict=True):
        run(loop, stop(server))
    for loop in loops:
        loop._runner.submit(loop.close).result(TIMEOUT)


def test_the_thread_comes_and_goes_with_those_who_need_it(pool: ThreadPool) -> None:
    runner = pool.create_sequenced_task_runner()
    for _ in range(20):
        loop = SequenceEventLoop(runner)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.send(b"x")
            assert run(loop, loop.sock_recv(ours, 1)) == b"x"
            runner.submit(loop.close).result(TIMEOUT)


def test_two_loops_may_watch_the_same_descriptor(pool: ThreadPool) -> None:
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(2)]
    ours, theirs = socket.socketpair()

    async def readable(loop: SequenceEventLoop) -> None:
        seen = asyncio.Event()
        loop.add_reader(ours, seen.set)
        await seen.wait()
        loop.remove_reader(ours)

    with ours, theirs:
        waiting = [asyncio.run_coroutine_threadsafe(readable(loop), loop) for loop in loops]
        theirs.send(b"for both")
        for each in waiting:
            each.result(TIMEOUT)
    for loop in loops:
        loop._runner.submit(loop.close).result(TIMEOUT)


def test_a_callback_that_raises_is_reported_and_io_goes_on(event_loop: SequenceEventLoop) -> None:
    ours, theirs = socket.socketpair()

    async def main() -> list[str]:
        reported, enough = list[str](), asyncio.Event()

        def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            reported.append(str(context["exception"]))
            if len(reported) == 3:
                event_loop.remove_reader(ours)
                enough.set()

        def fail() -> None:
            raise ArithmeticError("on purpose")

        event_loop.set_exception_handler(report)
        event_loop.add_reader(ours, fail)
        theirs.send(b"x")
        await enough.wait()
        return reported

    with ours, theirs:
        assert run(event_loop, main()) == ["on purpose"] * 3
    event_loop.set_exception_handler(None)


def test_a_forked_child_disturbs_nothing(pool: ThreadPool) -> None:
    runner = pool.create_sequenced_task_runner()
    loop = SequenceEventLoop(runner)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        receiving = asyncio.run_coroutine_threadsafe(loop.sock_recv(ours, 1), loop)
        run(loop, asyncio.sleep(0.001))
        child = os.fork()
        if child == 0:
            loop.close()
            os._exit(0 if loop.is_closed() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        theirs.send(b"x")
        assert receiving.result(TIMEOUT) == b"x"
        assert isinstance(loop._selector, selectors.BaseSelector)
        runner.submit(loop.close).result(TIMEOUT)


def test_a_forked_child_has_threads_of_its_own(pool: ThreadPool) -> None:
    runner = pool.create_sequenced_task_runner()
    loop = SequenceEventLoop(runner)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)

    async def use(loop: SequenceEventLoop) -> str:
        await loop.sock_sendall(theirs, b"x")
        assert await loop.sock_recv(ours, 1) == b"x"
        return await asyncio.to_thread(str, 5)

    def use_in_child() -> None:
        own = RunLoop()
        loop = SequenceEventLoop(own.task_runner)
        task = own.task_runner.submit(loop.create_task, use(loop))
        own.task_runner.post_task(lambda: task.result().add_done_callback(lambda _: own.quit()))
        own.run()
        assert task.result().result() == "5"
        loop.close()

    with ours, theirs:
        assert run(loop, use(loop)) == "5"
        child = os.fork()
        if child == 0:
            try:
                use_in_child()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert run(loop, use(loop)) == "5"
        runner.submit(loop.close).result(TIMEOUT)


def test_at_the_interpreters_exit_nothing_is_in_the_way() -> None:
    script = """
import asyncio, socket
from mojo_seq import ThreadPool
from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

pool = ThreadPool()
loop = SequenceEventLoop(pool.create_sequenced_task_runner())
ours, theirs = socket.socketpair()
ours.setblocking(False)
loop.call_soon_threadsafe(loop.add_reader, ours, print)
print(asyncio.run_coroutine_threadsafe(asyncio.to_thread(str, "used"), loop).result(20))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "used\n", "")
