"""SequenceEventLoop: many loops, many threads, nothing lost."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from mojo_seq import ThreadPool
from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

TIMEOUT = 50.0
THREADS = 4
T = TypeVar("T")


def run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(TIMEOUT)


def close(loop: SequenceEventLoop) -> None:
    loop._runner.submit(loop.close).result(TIMEOUT)


def test_calls_from_many_threads_keep_their_order(event_loop: SequenceEventLoop) -> None:
    calls = 5000
    seen: list[list[int]] = [[] for _ in range(THREADS)]
    inside = threading.Lock()

    def note(thread: int, number: int) -> None:
        assert inside.acquire(blocking=False)  # never two at once
        seen[thread].append(number)
        inside.release()

    def call(thread: int) -> None:
        for number in range(calls):
            event_loop.call_soon_threadsafe(note, thread, number)

    with ThreadPoolExecutor(THREADS) as executor:
        list(executor.map(call, range(THREADS)))
    run(event_loop, asyncio.sleep(0))
    assert seen == [list(range(calls))] * THREADS


def test_many_loops_on_one_pool_talk_to_each_other(pool: ThreadPool) -> None:
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(200)]

    async def hop(way: list[SequenceEventLoop]) -> int:
        await asyncio.sleep(0)
        if len(way) == 1:
            return 1
        further = asyncio.run_coroutine_threadsafe(hop(way[1:]), way[1])
        return 1 + await asyncio.wrap_future(further)

    ways = [random.Random(seed).sample(loops, 20) for seed in range(100)]
    asked = [asyncio.run_coroutine_threadsafe(hop(way), way[0]) for way in ways]
    assert [each.result(TIMEOUT) for each in asked] == [20] * len(ways)
    for loop in loops:
        close(loop)


def test_timers_of_many_loops_all_fire(pool: ThreadPool) -> None:
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(50)]

    async def main(seed: int) -> int:
        delays = random.Random(seed)
        await asyncio.gather(*(asyncio.sleep(delays.uniform(0, 0.05)) for _ in range(50)))
        async with asyncio.timeout(TIMEOUT):
            return len([await asyncio.sleep(0.001, number) for number in range(5)])

    asked = [asyncio.run_coroutine_threadsafe(main(i), each) for i, each in enumerate(loops)]
    assert [each.result(TIMEOUT) for each in asked] == [5] * len(loops)
    for loop in loops:
        assert not loop._timers
        close(loop)


def test_io_of_many_loops(pool: ThreadPool) -> None:
    loops = [SequenceEventLoop(pool.create_sequenced_task_runner()) for _ in range(30)]
    pairs = [socket.socketpair() for _ in loops]

    async def shout(loop: SequenceEventLoop, sock: socket.socket) -> None:
        for number in range(50):
            await loop.sock_sendall(sock, bytes([number]))

    async def listen(loop: SequenceEventLoop, sock: socket.socket) -> bytes:
        heard = b""
        while len(heard) < 50:
            heard += await loop.sock_recv(sock, 7)
        return heard

    listeners = []
    for i, (ours, theirs) in enumerate(pairs):
        ours.setblocking(False)
        theirs.setblocking(False)
        speaker = loops[i - 1]
        listeners.append(asyncio.run_coroutine_threadsafe(listen(loops[i], ours), loops[i]))
        asyncio.run_coroutine_threadsafe(shout(speaker, theirs), speaker)
    assert [each.result(TIMEOUT) for each in listeners] == [bytes(range(50))] * len(loops)
    for loop in loops:
        close(loop)
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_closing_while_others_call(pool: ThreadPool) -> None:
    for _ in range(20):
        loop = SequenceEventLoop(pool.create_sequenced_task_runner())
        closed = threading.Event()

        def call(loop: SequenceEventLoop = loop, closed: threading.Event = closed) -> None:
            while not closed.is_set():
                if len(loop._ready) > 100:
                    time.sleep(0)  # more than it can do, for ever, would tell nothing
                    continue
                try:
                    loop.call_soon_threadsafe(int)
                except RuntimeError as error:
                    assert "closed" in str(error)
                    return

        threads = [threading.Thread(target=call) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            run(loop, asyncio.sleep(0.001))
            close(loop)
        finally:
            closed.set()
            for thread in threads:
                thread.join()
