"""Round trip of 64 bytes between two processes, against multiprocessing.Pipe and a bare socket.

The other process sends back what it gets; each side waits, with nothing else to do. On one
processor that shows what the software costs; on two what it costs to wake a sleeping processor,
or that a short spin saved it. After a pause both sides are asleep for certain, and nothing is
saved. Wherever the scheduler puts them, it may be any of these.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import repeat
from multiprocessing.connection import Connection
from statistics import median

from harness import Contender, Measure, Scale, main, one_core, two_cores
from two_processes import READABLE, Cores, anywhere, mojo_child, peer_child, place
from verdict import Target

from mojo_seq import MessagePipeHandle, wait

PAYLOAD = b"x" * 64
PAUSE = 0.002  # seconds; any spin has given up by then

RoundTrips = Callable[[int], None]  # makes so many
Link = Callable[[int | None, int | None], AbstractContextManager[RoundTrips]]


def mojo_echo(pipe: MessagePipeHandle, core: int | None) -> None:
    place(core)
    read, write = pipe.read, pipe.write
    while True:
        wait(pipe, READABLE)
        write(read().payload)


@contextmanager
def mojo(here: int | None, there: int | None) -> Iterator[RoundTrips]:
    with mojo_child(mojo_echo, there) as pipe:
        place(here)
        read, write = pipe.read, pipe.write

        def run(n: int) -> None:
            for _ in repeat(None, n):
                write(PAYLOAD)
                wait(pipe, READABLE)
                read()

        yield run


def connection_echo(connection: Connection, core: int | None) -> None:
    place(core)
    send, receive = connection.send_bytes, connection.recv_bytes
    while True:
        send(receive())


@contextmanager
def multiprocessing_pipe(here: int | None, there: int | None) -> Iterator[RoundTrips]:
    near, far = multiprocessing.Pipe()
    with peer_child(connection_echo, far, there), near:
        far.close()
        place(here)
        send, receive = near.send_bytes, near.recv_bytes

        def run(n: int) -> None:
            for _ in repeat(None, n):
                send(PAYLOAD)
                receive()

        yield run


def socket_echo(connection: socket.socket, core: int | None) -> None:
    place(core)
    send, receive = connection.send, connection.recv
    while received := receive(64):
        send(received)


@contextmanager
def bare_socket(here: int | None, there: int | None) -> Iterator[RoundTrips]:
    """Two system calls a side and no framing: the least that it can cost from Python, asleep."""
    near, far = socket.socketpair()
    with peer_child(socket_echo, far, there), near:
        far.close()
        place(here)
        send, receive = near.send, near.recv

        def run(n: int) -> None:
            for _ in repeat(None, n):
                send(PAYLOAD)
                receive(64)

        yield run


def steady(link: Link, cores: Cores, scale: Scale) -> float:
    """Microseconds of a round trip, one right after the other."""
    with link(*cores()) as run:
        return scale.per_operation(run, 1.0) * 1e6


def after_a_pause(link: Link, cores: Cores, scale: Scale) -> float:
    """Microseconds of a round trip that begins when both sides sleep."""
    times: list[float] = []
    with link(*cores()) as run:
        run(scale.n(1000))
        for _ in range(scale.n(500)):
            time.sleep(PAUSE)
            start = time.perf_counter()
            run(1)
            times.append(time.perf_counter() - start)
    return median(times) * 1e6


def measure(
    where: str, how: Callable[[Link, Cores, Scale], float], cores: Cores, factor: float
) -> Measure:
    return Measure(
        f"round trip of 64 B between two processes, {where}",
        "us",
        (
            Contender("mojo_seq", partial(how, mojo, cores)),
            Contender("multiprocessing.Pipe", partial(how, multiprocessing_pipe, cores)),
            Contender("bare Unix socket", partial(how, bare_socket, cores)),
        ),
        (Target.within("mojo_seq", "multiprocessing.Pipe", factor),),
    )


MEASURES = (
    measure("one processor", steady, one_core, 1.0),
    measure("two processors", steady, two_cores, 0.5),
    measure("two processors, both asleep", after_a_pause, two_cores, 1.0),
    measure("wherever they run", steady, anywhere, 1.0),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
