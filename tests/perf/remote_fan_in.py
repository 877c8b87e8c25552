"""Fan-in: many pipes from another process are watched, one fires: how soon its watcher knows.

From the write in the other process to the first thing that the reader does, both having slept
before; the processes share the system's monotonic clock. On one processor the growth with the
number of pipes is the clearest, because waking that processor up costs nothing. The last measure
has whole rounds without any pause, so that what has to be done again after each wake-up shows.
"""

from __future__ import annotations

import queue
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import repeat
from multiprocessing.connection import wait as wait_for_any
from statistics import median

from bare_sockets import receive_exactly
from harness import Measure, main
from many_links import mojo_ends, socket_ends, take_mojo_ends, take_socket_ends
from verdict import Target

from mojo_seq import (
    MessagePipeHandle,
    RunLoop,
    SimpleWatcher,
    WaitSet,
    Watcher,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, peer_child, receive
from mojo_seq.cli.bench.placing import Cores, one_core, place, two_cores
from mojo_seq.cli.bench.scale import Scale

COUNTS = (1, 100, 1_000, 10_000)
PAUSE = 0.0003  # seconds in which both sides fall asleep
ORDER = struct.Struct("=id")  # which one is to fire, and after what pause
STAMP = struct.Struct("=d")

# Tells the other process to fire that one after that pause.
Fire = Callable[[int, float], object]
# Sleeps until one fired: when it was noticed, and the message.
WaitForOne = Callable[[], tuple[float, bytes | memoryview]]
Fan = Callable[[int, int, int], AbstractContextManager[tuple[Fire, WaitForOne]]]


def mojo_gun(pipe: MessagePipeHandle, core: int, count: int) -> None:
    """Fires as ordered, until the pipe is closed."""
    place(core)
    ends = take_mojo_ends(pipe, count)
    while True:
        index, pause = ORDER.unpack(receive(pipe).payload)
        if pause:
            time.sleep(pause)
        ends[index].write(STAMP.pack(time.perf_counter()))


@contextmanager
def mojo_fan(here: int, there: int, count: int) -> Iterator[tuple[Fire, list[MessagePipeHandle]]]:
    with mojo_child(mojo_gun, there, count) as pipe, ExitStack() as stack:
        place(here)
        ends = mojo_ends(pipe, count)
        for end in ends:
            stack.enter_context(end)
        yield lambda index, pause: pipe.write(ORDER.pack(index, pause)), ends


@contextmanager
def wait_set(here: int, there: int, count: int) -> Iterator[tuple[Fire, WaitForOne]]:
    with mojo_fan(here, there, count) as (fire, ends):
        waiting = WaitSet()
        for end in ends:
            waiting.add_handle(end, READABLE)

        def wait_for_one() -> tuple[float, memoryview]:
            (ready,) = waiting.wait(1).ready
            woken = time.perf_counter()
            if not isinstance(ready.handle, MessagePipeHandle):
                raise TypeError(ready)
            return woken, ready.handle.read().payload

        yield fire, wait_for_one


@contextmanager
def watcher(here: int, there: int, count: int) -> Iterator[tuple[Fire, WaitForOne]]:
    """One Watcher for all; its callback runs on the system's thread, while this one sleeps."""
    fired: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()

    def notified(context: object, *_: object) -> None:
        if isinstance(context, int):
            fired.put((time.perf_counter(), context))

    with mojo_fan(here, there, count) as (fire, ends):
        watcher = Watcher(notified)
        for index, end in enumerate(ends):
            watcher.watch(end, READABLE, index)
        watcher.arm()

        def wait_for_one() -> tuple[float, memoryview]:
            woken, index = fired.get()
            payload = ends[index].read().payload
            watcher.arm()
            return woken, payload

        yield fire, wait_for_one
        for index in range(count):
            watcher.cancel(index)
        watcher.close()


@contextmanager
def simple_watchers(here: int, there: int, count: int) -> Iterator[tuple[Fire, WaitForOne]]:
    """A SimpleWatcher each, all on the sequence of this thread."""
    loop = RunLoop()
    fired: list[tuple[float, memoryview]] = []

    def readable(end: MessagePipeHandle, *_: object) -> None:
        fired.append((time.perf_counter(), end.read().payload))
        loop.quit()

    def wait_for_one() -> tuple[float, memoryview]:
        loop.run()
        return fired.pop()

    with mojo_fan(here, there, count) as (fire, ends):
        watchers: list[SimpleWatcher] = []

        def watch_all() -> None:
            for end in ends:
                watchers.append(SimpleWatcher(task_runner=loop.task_runner))
                watchers[-1].watch(end, READABLE, partial(readable, end))

        def close_all() -> None:
            for each in watchers:
                each.close()

        loop.task_runner.post_task(watch_all)
        loop.run_until_idle()
        yield fire, wait_for_one
        loop.task_runner.post_task(close_all)
        loop.run_until_idle()


def socket_gun(connection: socket.socket, core: int, count: int) -> None:
    place(core)
    ends = take_socket_ends(connection, count)
    order = bytearray(ORDER.size)
    while True:
        receive_exactly(connection, memoryview(order))
        index, pause = ORDER.unpack(order)
        if pause:
            time.sleep(pause)
        ends[index].send(STAMP.pack(time.perf_counter()))


@contextmanager
def socket_fan(here: int, there: int, count: int) -> Iterator[tuple[Fire, list[socket.socket]]]:
    near, far = socket.socketpair()
    with peer_child(socket_gun, far, there, count), near, ExitStack() as stack:
        far.close()
        place(here)
        ends = socket_ends(near, count)
        for end in ends:
            stack.enter_context(end)
        yield lambda index, pause: near.send(ORDER.pack(index, pause)), ends


@contextmanager
def epoll(here: int, there: int, count: int) -> Iterator[tuple[Fire, WaitForOne]]:
    with socket_fan(here, there, count) as (fire, ends), select.epoll() as poll:
        by_descriptor = {end.fileno(): end for end in ends}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)

        def wait_for_one() -> tuple[float, bytes]:
            ((descriptor, _),) = poll.poll(None, 1)
            woken = time.perf_counter()
            return woken, by_descriptor[descriptor].recv(64)

        yield fire, wait_for_one


@contextmanager
def connection_wait(here: int, there: int, count: int) -> Iterator[tuple[Fire, WaitForOne]]:
    """Has to look at all of them each time."""
    with socket_fan(here, there, count) as (fire, ends):

        def wait_for_one() -> tuple[float, bytes]:
            (end,) = wait_for_any(ends)
            woken = time.perf_counter()
            if not isinstance(end, socket.socket):
                raise TypeError(end)
            return woken, end.recv(64)

        yield fire, wait_for_one


def wake_up(fan: Fan, cores: Cores, count: int, scale: Scale) -> float:
    """Microseconds from a write to its being noticed; median."""
    chosen = random.Random(3)
    count = scale.n(count)
    times: list[float] = []
    with fan(*both(cores), count) as (fire, wait_for_one):
        for _ in range(scale.n(300) + 10):
            fire(chosen.randrange(count), PAUSE)
            woken, message = wait_for_one()
            times.append(woken - STAMP.unpack(message)[0])
    return median(times[10:]) * 1e6


def whole_round(fan: Fan, cores: Cores, count: int, scale: Scale) -> float:
    """Microseconds from one order to the next, with no pause."""
    chosen = random.Random(3)
    count = scale.n(count)
    with fan(*both(cores), count) as (fire, wait_for_one):

        def run(n: int) -> None:
            for _ in repeat(None, n):
                fire(chosen.randrange(count), 0.0)
                wait_for_one()

        return scale.per_operation(run) * 1e6


def both(cores: Cores) -> tuple[int, int]:
    here, there = cores()
    if here is None or there is None:
        raise ValueError("not where the scheduler likes: that is not comparable")
    return here, there


OURS: dict[str, Fan] = {
    "WaitSet": wait_set,
    "Watcher": watcher,
    "SimpleWatcher each": simple_watchers,
}
EPOLL: dict[str, Fan] = {"epoll on sockets": epoll}
PEERS: dict[str, Fan] = {**EPOLL, "connection.wait": connection_wait}


def measure(
    what: str, how: Callable[[Fan, Cores, int, Scale], float], cores: Cores, fans: dict[str, Fan]
) -> Measure:
    return Measure(
        f"fan-in: many pipes from another process, {what}",
        "us",
        tuple(
            Contender(f"{name}, {count:,}", partial(how, fan, cores, count))
            for name, fan in fans.items()
            for count in COUNTS
        ),
        tuple(
            Target.within(f"{name}, {count:,}", f"{name}, {COUNTS[0]}", 2)
            for name in fans
            if name in OURS
            for count in COUNTS[1:]
        ),
    )


MEASURES = (
    measure("one fires: wake-up, one processor", wake_up, one_core, {**OURS, **PEERS}),
    measure("one fires: wake-up, two processors", wake_up, two_cores, {"WaitSet": wait_set}),
    measure("whole rounds, one processor", whole_round, one_core, {"WaitSet": wait_set, **EPOLL}),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
