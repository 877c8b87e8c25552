"""Memory of an idle pipe between two processes, 10,000 of them open at once.

Of one pipe, so of both its ends: the growth of the resident sets of the two processes, and of the
kernel's slabs (`Slab` in /proc/meminfo: sockets, files, names). The slabs are the whole system's,
so what else runs is in the figure too; ten thousand pipes make that small. "Used" ones have passed
a message each way, "watched" ones are armed besides.
"""

from __future__ import annotations

import gc
import resource
import socket
import sys
from collections.abc import Iterable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from bare_sockets import receive_exactly
from harness import Measure, main
from many_links import mojo_ends, socket_ends, take_mojo_ends, take_socket_ends
from verdict import Target

from mojo_seq import MessagePipeHandle, RunLoop, SimpleWatcher
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, peer_child, receive
from mojo_seq.cli.bench.scale import Scale

COUNT = 10_000
PAYLOAD = b"x" * 64
NUMBER = 20  # bytes of a number in a message between the peers' processes


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def slabs() -> int:
    """Bytes of the kernel's small objects."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, value, *_ = line.split()
        if name == "Slab:":
            return int(value) * 1024
    raise RuntimeError("no Slab in /proc/meminfo")


def mojo_keeper(pipe: MessagePipeHandle, warm_up: int, count: int, used: bool) -> None:
    """Takes the ends, and reports how much memory that took; keeps them until the pipe closes."""
    for each in (warm_up, count):
        before = resident()
        ends = take_mojo_ends(pipe, each)
        if used:
            for end in ends:
                end.write(receive(end).payload)
        receive(pipe)
        pipe.write(b"%d" % (resident() - before))
        receive(pipe)
        for end in ends:
            end.close()
        pipe.write(b"closed")


def exchange(ends: Iterable[MessagePipeHandle]) -> None:
    for end in ends:
        end.write(PAYLOAD)
        receive(end)


def mojo(used: bool, watched: bool, scale: Scale) -> float:
    """KB of a pipe."""
    loop = RunLoop()
    watchers: list[SimpleWatcher] = []

    def watch(ends: list[MessagePipeHandle]) -> None:
        for end in ends:
            watchers.append(SimpleWatcher(task_runner=loop.task_runner))
            watchers[-1].watch(end, READABLE, lambda *_: None)

    def unwatch() -> None:
        while watchers:
            watchers.pop().close()

    # The first few are for what is allocated once and for all.
    counts = (max(1, scale.n(COUNT) // 100), scale.n(COUNT))
    growth = 0
    with mojo_child(mojo_keeper, *counts, used) as pipe:
        for count in counts:
            mine, kernels = resident(), slabs()
            ends = mojo_ends(pipe, count)
            if used:
                exchange(ends)
            if watched:
                loop.task_runner.post_task(watch, ends)
                loop.run_until_idle()
            pipe.write(b"how much?")
            theirs = int(bytes(receive(pipe)))
            growth = resident() - mine + theirs + slabs() - kernels
            if len({end.value for end in ends}) != count:
                raise AssertionError("not all of them are open at once")
            loop.task_runner.post_task(unwatch)
            loop.run_until_idle()
            for end in ends:
                end.close()
            pipe.write(b"close them")
            receive(pipe)
    return growth / counts[1] / 1000


def keep(sockets: list[socket.socket]) -> list[Connection]:
    """As ends of multiprocessing's pipes."""
    return [Connection(each.detach()) for each in sockets]


def connection_keeper(connection: socket.socket, count: int, used: bool) -> None:
    before = resident()
    ends = keep(take_socket_ends(connection, count))
    if used:
        for end in ends:
            end.send_bytes(end.recv_bytes())
    receive_exactly(connection, memoryview(bytearray(1)))
    connection.send(b"%*d" % (NUMBER, resident() - before))
    receive_exactly(connection, memoryview(bytearray(1)))


def multiprocessing_pipes(used: bool, scale: Scale) -> float:
    count = scale.n(COUNT)
    near, far = socket.socketpair()
    with peer_child(connection_keeper, far, count, used), near:
        far.close()
        mine, kernels = resident(), slabs()
        ends = keep(socket_ends(near, count))
        if used:
            for end in ends:
                end.send_bytes(PAYLOAD)
                end.recv_bytes()
        near.send(b"?")
        theirs = bytearray(NUMBER)
        receive_exactly(near, memoryview(theirs))
        growth = resident() - mine + int(theirs) + slabs() - kernels
        for end in ends:
            end.close()
    return growth / count / 1000


def idle_pipes(name: str, used: bool, watched: bool) -> Contender:
    return Contender(name, partial(mojo, used, watched))


MEASURES = (
    Measure(
        "memory of an idle pipe to another process, both ends and the kernel's, 10,000 open",
        "KB",
        (
            idle_pipes("mojo_seq, new", False, False),
            idle_pipes("mojo_seq, used", True, False),
            idle_pipes("mojo_seq, used and watched", True, True),
            Contender("multiprocessing.Pipe, new", partial(multiprocessing_pipes, False)),
            Contender("multiprocessing.Pipe, used", partial(multiprocessing_pipes, True)),
        ),
        (
            Target.at_most("mojo_seq, new", 8, "KB"),
            Target.at_most("mojo_seq, used", 8, "KB"),
            Target.at_most("mojo_seq, used and watched", 8, "KB"),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
