"""A numpy array of 8 MiB as a message; the other process sums it and answers with the sum.

The summing is in the figures, and the same for all.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import numpy as np

from mojo_seq import Message, MessagePipeHandle, wait
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, peer_child, receive
from mojo_seq.cli.bench.peers.zmq_child import zmq_child
from mojo_seq.cli.bench.placing import TwoCores, apart, place
from mojo_seq.cli.bench.scale import WARM_UP, Scale

MEBIBYTE = 1024 * 1024
NBYTES = 8 * MEBIBYTE
TURNS = 100

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
# Sends an array with that number in all places; receives the next sum.
Exchange = tuple[Callable[[float], object], Callable[[], float]]
Link = Callable[[bool, int, int], AbstractContextManager[Exchange]]


def milliseconds(
    link: Link, rebuilt: bool, ahead: int, turns: int, cores: TwoCores, scale: Scale
) -> float:
    """Median time from one sum to the next, so many more arrays on the way; checks the sums."""
    n = scale.n(turns) + WARM_UP
    values = [float(turn) if rebuilt else 1.0 for turn in range(n + ahead)]
    times = [0.0]
    with link(rebuilt, *cores()) as (send, answer):
        send(0.0)
        answer()  # the other process has started
        with scale.counting_cpu(n):
            for value in values[:ahead]:
                send(value)
            for value, expected in zip(values[ahead:], values, strict=False):
                send(value)
                total = answer()
                times.append(time.perf_counter())
                if total != expected * (NBYTES // 8):
                    raise AssertionError(f"sum {total} of an array of {expected}")
            for _ in range(ahead):
                answer()
    return median(end - start for start, end in pairwise(times[WARM_UP:])) * 1e3


def source(rebuilt: bool) -> Callable[[float], Array]:
    """Makes the arrays to send: filled anew, or always the same."""
    array = np.ones(NBYTES // 8)

    def make(value: float) -> Array:
        if rebuilt:
            array.fill(value)
        return array

    return make


def mojo_sums(pipe: MessagePipeHandle, core: int) -> None:
    place(core)
    while True:
        wait(pipe, READABLE)
        total = np.frombuffer(pipe.read().payload).sum()
        pipe.write(total.tobytes())


def answer(pipe: MessagePipeHandle) -> float:
    return float(np.frombuffer(receive(pipe).payload)[0])


@contextmanager
def mojo_write(rebuilt: bool, here: int, there: int) -> Iterator[Exchange]:
    with mojo_child(mojo_sums, there) as pipe:
        place(here)
        make = source(rebuilt)
        yield lambda value: pipe.write(make(value)), lambda: answer(pipe)


@contextmanager
def mojo_allocate(_rebuilt: bool, here: int, there: int) -> Iterator[Exchange]:
    with mojo_child(mojo_sums, there) as pipe:
        place(here)

        def send(value: float) -> None:
            message = Message.allocate(NBYTES, zeroed=False)
            np.frombuffer(message.payload).fill(value)
            pipe.write_message(message)

        yield send, lambda: answer(pipe)


def queue_sums(arrays: Any, sums: Any, core: int) -> None:
    place(core)
    while (array := arrays.get()) is not None:
        sums.put(float(array.sum()))


@contextmanager
def multiprocessing_queue(rebuilt: bool, here: int, there: int) -> Iterator[Exchange]:
    spawn = multiprocessing.get_context("spawn")
    arrays, sums = spawn.Queue(), spawn.Queue()
    with peer_child(queue_sums, arrays, sums, there):
        place(here)
        make = source(rebuilt)
        yield lambda value: arrays.put(make(value)), sums.get
        arrays.put(None)


def connection_sums(connection: Connection, core: int) -> None:
    place(core)
    while True:
        connection.send(float(connection.recv().sum()))


@contextmanager
def multiprocessing_pipe(rebuilt: bool, here: int, there: int) -> Iterator[Exchange]:
    near, far = multiprocessing.Pipe()
    with peer_child(connection_sums, far, there), near:
        far.close()
        place(here)
        make = source(rebuilt)
        yield lambda value: near.send(make(value)), near.recv


def zmq_sums(socket: Any) -> None:
    while array := socket.recv(copy=False).buffer:
        socket.send(np.frombuffer(array).sum().tobytes())


@contextmanager
def pyzmq(rebuilt: bool, here: int, there: int) -> Iterator[Exchange]:
    """Copies on neither side on top of what the socket does."""
    with zmq_child(zmq_sums, there) as socket:
        place(here)
        make = source(rebuilt)
        yield (
            lambda value: socket.send(make(value).data, copy=False),
            lambda: float(np.frombuffer(socket.recv())[0]),
        )


def contender(name: str, link: Link, requires: str | None = None) -> Contender:
    return Contender(name, partial(milliseconds, link, False, 0, TURNS, apart), requires)


CASE = Case(
    "array of 8 MiB to another process, which sums it",
    "ms",
    (
        contender("mojo_seq, message pipe", mojo_write),
        contender("multiprocessing.Queue", multiprocessing_queue, "multiprocessing"),
        contender("multiprocessing.Pipe", multiprocessing_pipe, "multiprocessing"),
        contender("pyzmq, ipc, no copies", pyzmq, "zmq"),
    ),
)
