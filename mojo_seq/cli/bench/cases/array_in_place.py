"""A numpy array of 8 MiB that is where it has to be: what is left is the price of handing it over.

The other process looks at both ends of it. `multiprocessing.shared_memory` has no messages: one
segment is used again and again here, and a pipe tells the other side, by hand. Whoever sends
through a pipe or a queue copies; their figure is that of the case `array`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from mojo_seq import Message, MessagePipeHandle
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.cases.array import NBYTES, Array
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import mojo_child, peer_child, receive
from mojo_seq.cli.bench.placing import TwoCores, apart, place
from mojo_seq.cli.bench.scale import Scale


def check(answer: Array, turn: int) -> None:
    if answer[0] != turn or answer[1] != -turn:
        raise AssertionError(f"{answer} instead of {turn}, {-turn}")


def mojo_looks(pipe: MessagePipeHandle, core: int) -> None:
    """Sends back the first and the last number."""
    place(core)
    while True:
        array = np.frombuffer(receive(pipe).payload)
        pipe.write(array[[0, -1]].tobytes())


def hand_over(nbytes: int, zeroed: bool, cores: TwoCores, scale: Scale) -> float:
    """Microseconds until the other process has looked at both ends of an array; median."""
    here, there = cores()
    turns = count()
    with mojo_child(mojo_looks, there) as pipe:
        place(here)

        def once() -> None:
            turn = next(turns)
            message = Message.allocate(nbytes, zeroed=zeroed)
            array = np.frombuffer(message.payload)
            array[0] = turn
            array[-1] = -turn
            del array
            pipe.write_message(message)
            check(np.frombuffer(receive(pipe).payload), turn)

        return scale.per_turn(once, scale.n(1000)) * 1e6


@contextmanager
def shared_array(name: str | None) -> Iterator[tuple[str, Array]]:
    """A segment's name, and an array in it. None: a new segment, which is gone after the block."""
    segment = SharedMemory(name, create=name is None, size=NBYTES)
    array: Array = np.ndarray((NBYTES // 8,), np.float64, segment.buf)
    try:
        yield segment.name, array
    finally:
        del array  # what it looks into is about to be unmapped; the block is over
        segment.close()
        if name is None:
            segment.unlink()


def segment_looks(name: str, connection: Connection, core: int) -> None:
    place(core)
    with shared_array(name) as (_, array):
        while True:
            connection.recv_bytes()
            connection.send_bytes(array[[0, -1]].tobytes())


def shared_memory(cores: TwoCores, scale: Scale) -> float:
    here, there = cores()
    turns = count()
    near, far = multiprocessing.Pipe()
    with (
        shared_array(None) as (name, array),
        peer_child(segment_looks, name, far, there),
        near,
    ):
        far.close()
        place(here)

        def once() -> None:
            turn = next(turns)
            array[0] = turn
            array[-1] = -turn
            near.send_bytes(b"look")
            check(np.frombuffer(near.recv_bytes()), turn)

        return scale.per_turn(once, scale.n(1000)) * 1e6


CASE = Case(
    "array of 8 MiB in place, to another process",
    "us",
    (
        Contender("mojo_seq, Message.allocate", partial(hand_over, NBYTES, False, apart)),
        Contender("SharedMemory and a Pipe", partial(shared_memory, apart), "multiprocessing"),
    ),
)
