"""Round trip of 64 bytes between two processes; the other one sends back what it gets.

One right after the other, on two processors: that costs two wake-ups, or a short spin saved them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import repeat
from multiprocessing.connection import Connection
from typing import Any

from mojo_seq import MessagePipeHandle, wait
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, peer_child
from mojo_seq.cli.bench.peers.zmq_child import zmq_child
from mojo_seq.cli.bench.placing import Cores, apart, place
from mojo_seq.cli.bench.scale import Scale, rested

PAYLOAD = b"x" * 64

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


def zmq_echo(socket: Any) -> None:
    send, receive = socket.send, socket.recv
    while payload := receive():
        send(payload)


@contextmanager
def pyzmq(here: int | None, there: int | None) -> Iterator[RoundTrips]:
    with zmq_child(zmq_echo, there) as socket:
        place(here)
        send, receive = socket.send, socket.recv

        def run(n: int) -> None:
            for _ in repeat(None, n):
                send(PAYLOAD)
                receive()

        yield run


def steady(link: Link, cores: Cores, scale: Scale) -> float:
    """Microseconds of a round trip, one right after the other."""
    with link(*cores()) as run:
        return scale.per_operation(run, 1.0) * 1e6


def after_a_pause(link: Link, cores: Cores, scale: Scale) -> float:
    """Microseconds of a round trip that begins when both sides sleep."""
    with link(*cores()) as run:
        run(scale.n(1000))
        n = scale.n(500)
        with scale.counting_cpu(n):
            return rested(lambda: run(1), n) * 1e6


def case(title: str, how: Callable[[Link, Cores, Scale], float]) -> Case:
    return Case(
        title,
        "us",
        (
            Contender("mojo_seq, message pipe", partial(how, mojo, apart)),
            Contender(
                "multiprocessing.Pipe", partial(how, multiprocessing_pipe, apart), "multiprocessing"
            ),
            Contender("pyzmq, ipc", partial(how, pyzmq, apart), "zmq"),
        ),
    )


CASE = case("round trip of 64 B between processes, active", steady)
