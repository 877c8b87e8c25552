"""A new pipe, one end of it sent to another process, and used: how many a second.

One at a time: make a pipe, send an end, write to it, get the answer over it, close. That is two
switches to the other process and back, so on one processor it shows the cost and on two the
wake-ups. Fifty on the way: the same work, without waiting for each. The last measure asks whether
a pipe is as fast at once as later: its first round trip after it was sent, against its hundredth.
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

from harness import Measure, main
from verdict import Target

from mojo_seq import MessagePipeHandle, create_message_pipe
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import mojo_child, peer_child, receive
from mojo_seq.cli.bench.placing import Cores, one_core, place, two_cores
from mojo_seq.cli.bench.scale import Scale

PAYLOAD = b"x" * 64
ON_THE_WAY = 50
ROUND_TRIPS = 100

# Sends and uses so many new pipes at once.
UsePipes = Callable[[int], None]
Link = Callable[[int | None, int | None], AbstractContextManager[UsePipes]]


def mojo_answers(pipe: MessagePipeHandle, core: int | None) -> None:
    """Answers one message over each pipe that arrives."""
    place(core)
    while True:
        with receive(pipe) as message:
            (end,) = message.take_handles()
        if not isinstance(end, MessagePipeHandle):
            raise TypeError(end)
        with end:
            end.write(receive(end).payload)


@contextmanager
def mojo(here: int | None, there: int | None) -> Iterator[UsePipes]:
    with mojo_child(mojo_answers, there) as pipe:
        place(here)

        def use(count: int) -> None:
            ends: list[MessagePipeHandle] = []
            for _ in repeat(None, count):
                near, far = create_message_pipe()
                pipe.write(b"", [far])
                near.write(PAYLOAD)
                ends.append(near)
            for near in ends:
                with near:
                    receive(near)

        yield use


def socket_answers(connection: socket.socket, core: int | None) -> None:
    place(core)
    while True:
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        if not descriptors:
            return
        with socket.socket(fileno=descriptors[0]) as end:
            end.send(end.recv(64))


@contextmanager
def bare_socket(here: int | None, there: int | None) -> Iterator[UsePipes]:
    """A socketpair and SCM_RIGHTS by hand: the least that it can cost from Python."""
    near, far = socket.socketpair()
    with peer_child(socket_answers, far, there), near:
        far.close()
        place(here)

        def use(count: int) -> None:
            ends: list[socket.socket] = []
            for _ in repeat(None, count):
                mine, yours = socket.socketpair()
                with yours:
                    socket.send_fds(near, [b"x"], [yours.fileno()])
                mine.send(PAYLOAD)
                ends.append(mine)
            for mine in ends:
                with mine:
                    mine.recv(64)

        yield use


def connection_answers(connection: Connection, core: int | None) -> None:
    place(core)
    while True:
        with connection.recv() as end:
            end.send_bytes(end.recv_bytes())


@contextmanager
def multiprocessing_pipe(here: int | None, there: int | None) -> Iterator[UsePipes]:
    """A Connection sent over a Connection: a server thread hands the descriptor over."""
    near, far = multiprocessing.Pipe()
    with peer_child(connection_answers, far, there), near:
        far.close()
        place(here)

        def use(count: int) -> None:
            ends: list[Connection] = []
            for _ in repeat(None, count):
                mine, yours = multiprocessing.Pipe()
                with yours:
                    near.send(yours)
                mine.send_bytes(PAYLOAD)
                ends.append(mine)
            for mine in ends:
                with mine:
                    mine.recv_bytes()

        yield use


def per_second(link: Link, cores: Cores, at_once: int, scale: Scale) -> float:
    """How many pipes, so many at once."""
    with link(*cores()) as use:

        def run(n: int) -> None:
            for _ in repeat(None, n):
                use(at_once)

        return at_once / scale.per_operation(run, 1.0)


def mojo_echoes(pipe: MessagePipeHandle, core: int | None) -> None:
    """Says that a pipe is here, and answers over it until it is closed."""
    place(core)
    while True:
        with receive(pipe) as message:
            (end,) = message.take_handles()
        if not isinstance(end, MessagePipeHandle):
            raise TypeError(end)
        with end:
            pipe.write(b"here")
            for _ in repeat(None, ROUND_TRIPS):
                end.write(receive(end).payload)


def round_trip(number: int, cores: Cores, scale: Scale) -> float:
    """Microseconds that this round trip of a new pipe takes, median of many pipes."""
    here, there = cores()
    times: list[float] = []
    with mojo_child(mojo_echoes, there) as pipe:
        place(here)
        for _ in range(scale.n(500) + 1):
            near, far = create_message_pipe()
            pipe.write(b"", [far])
            receive(pipe)
            with near:
                for turn in range(1, ROUND_TRIPS + 1):
                    start = time.perf_counter()
                    near.write(PAYLOAD)
                    receive(near)
                    if turn == number:
                        times.append(time.perf_counter() - start)
    return median(times) * 1e6


def rates(where: str, cores: Cores, at_once: int) -> Measure:
    links = {
        "mojo_seq": mojo,
        "multiprocessing.Pipe": multiprocessing_pipe,
        "bare Unix socket": bare_socket,
    }
    return Measure(
        f"new pipes sent to another process and used, {where}",
        "a second",
        tuple(
            Contender(name, partial(per_second, link, cores, at_once))
            for name, link in links.items()
        ),
        (Target.at_least("mojo_seq", 10_000, "a second"),),
        higher_is_better=True,
    )


def first_and_hundredth(where: str, cores: Cores) -> Measure:
    return Measure(
        f"round trip over a pipe that was just sent, {where}",
        "us",
        (
            Contender("first", partial(round_trip, 1, cores)),
            Contender("hundredth", partial(round_trip, ROUND_TRIPS, cores)),
        ),
        # No slower; a tenth is for the noise.
        (Target.within("first", "hundredth", 1.1),),
    )


MEASURES = (
    rates("one at a time, one processor", one_core, 1),
    rates("one at a time, two processors", two_cores, 1),
    rates("fifty on the way, two processors", two_cores, ON_THE_WAY),
    first_and_hundredth("one processor", one_core),
    first_and_hundredth("two processors", two_cores),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
