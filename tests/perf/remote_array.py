"""A numpy array of 8 MiB as a message; the other process sums it and answers. Two processors.

The first two measures send an array that exists: one at a time, which is copying and then summing,
and with four on the way, which is whichever takes longer. In the third one it is built for the
purpose each time, which `Message.allocate` lets happen in the memory that is going to be sent; all
of it is filled, so it need not be zero before. Building and summing are in the figures. In the last
one nothing is built or summed: what is left is the price of the hand-over, and it may not depend on
the size, because nothing is copied. (Memory that is asked for as zeros costs their writing.)
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count, pairwise
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import numpy as np
from harness import Contender, Measure, Scale, main, two_cores
from two_processes import READABLE, mojo_child, peer_child, place, receive
from verdict import Target

from mojo_seq import Message, MessagePipeHandle, wait

MEBIBYTE = 1024 * 1024
NBYTES = 8 * MEBIBYTE
SIZES = {"1 MiB": MEBIBYTE, "8 MiB": NBYTES, "64 MiB": 64 * MEBIBYTE}

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
# Sends an array with that number in all places; receives the next sum.
Exchange = tuple[Callable[[float], object], Callable[[], float]]
Link = Callable[[bool, int, int], AbstractContextManager[Exchange]]


def milliseconds(link: Link, rebuilt: bool, ahead: int, scale: Scale) -> float:
    """Median time from one sum to the next, so many more arrays on the way; checks the sums."""
    values = [float(turn) if rebuilt else 1.0 for turn in range(scale.n(200) + 5 + ahead)]
    times = [0.0]
    with link(rebuilt, *two_cores()) as (send, answer):
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
    return median(end - start for start, end in pairwise(times[5:])) * 1e3


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


def zmq_sums(address: str, core: int) -> None:
    import zmq

    place(core)
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.connect(address)
        while array := socket.recv(copy=False).buffer:
            socket.send(np.frombuffer(array).sum().tobytes())


@contextmanager
def pyzmq(rebuilt: bool, here: int, there: int) -> Iterator[Exchange]:
    """Copies on neither side on top of what the socket does."""
    import zmq

    address = f"ipc://@mojo_seq-perf-{os.getpid()}"  # in the abstract namespace: no file
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.bind(address)
        with peer_child(zmq_sums, address, there):
            place(here)
            make = source(rebuilt)
            yield (
                lambda value: socket.send(make(value).data, copy=False),
                lambda: float(np.frombuffer(socket.recv())[0]),
            )
            socket.send(b"")


def mojo_looks(pipe: MessagePipeHandle, core: int) -> None:
    """Sends back the first and the last number."""
    place(core)
    while True:
        array = np.frombuffer(receive(pipe).payload)
        pipe.write(array[[0, -1]].tobytes())


def hand_over(nbytes: int, zeroed: bool, scale: Scale) -> float:
    """Microseconds until the other process has looked at both ends of an array; median."""
    here, there = two_cores()
    times: list[float] = []
    turns = count()
    with mojo_child(mojo_looks, there) as pipe:
        place(here)
        for _ in range(scale.n(1000) + 5):
            turn = next(turns)
            start = time.perf_counter()
            message = Message.allocate(nbytes, zeroed=zeroed)
            array = np.frombuffer(message.payload)
            array[0] = turn
            array[-1] = -turn
            del array
            pipe.write_message(message)
            answer = np.frombuffer(receive(pipe).payload)
            times.append(time.perf_counter() - start)
            if answer[0] != turn or answer[1] != -turn:
                raise AssertionError(f"{answer} instead of {turn}, {-turn}")
    return median(times[5:]) * 1e6


def measure(what: str, rebuilt: bool, ahead: int, *ours: tuple[str, Link]) -> Measure:
    def contender(name: str, link: Link, requires: str | None = None) -> Contender:
        return Contender(name, partial(milliseconds, link, rebuilt, ahead), requires)

    return Measure(
        f"numpy array of 8 MiB to another process, which sums it; {what}",
        "ms",
        (
            *(contender(name, link) for name, link in ours),
            contender("multiprocessing.Queue", multiprocessing_queue),
            contender("multiprocessing.Pipe", multiprocessing_pipe),
            contender("pyzmq over ipc", pyzmq, requires="zmq"),
        ),
        tuple(
            Target.better(name, other, factor)
            for name, _ in ours
            for other, factor in (("multiprocessing.Queue", 20), ("pyzmq over ipc", 4))
        ),
    )


WRITE = ("mojo_seq, write", mojo_write)
ALLOCATE = ("mojo_seq, Message.allocate(zeroed=False)", mojo_allocate)

MEASURES = (
    measure("one at a time", False, 0, WRITE),
    measure("four on the way", False, 3, WRITE),
    measure("built each time", True, 0, ALLOCATE, WRITE),
    Measure(
        "hand-over of a numpy array in place to another process, Message.allocate(zeroed=False)",
        "us",
        (
            *(Contender(name, partial(hand_over, nbytes, False)) for name, nbytes in SIZES.items()),
            Contender("8 MiB, zeroed=True", partial(hand_over, NBYTES, True)),
        ),
        # Independent of the size; half as much again is for the noise.
        (Target.within("64 MiB", "1 MiB", 1.5), Target.within("8 MiB", "1 MiB", 1.5)),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
