"""Data pipe to another process: 1 GiB in chunks of 64 KiB, against a Unix socketpair.

Two processors. In two-phase I/O the writer puts each chunk into the pipe's window, and the reader
looks at the bytes where they are; with write and readinto they are copied in and out, as the
socket's are. A reader that works on what it gets does the same work on either: the second measure
sums. The warm-up compares every byte; the timed part does not look at them any more.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from bare_sockets import receive_exactly
from harness import Measure, main
from verdict import Target

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    MessagePipeHandle,
    ShouldWaitError,
    Signals,
    create_data_pipe,
    wait,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, peer_child, receive
from mojo_seq.cli.bench.placing import place, two_cores
from mojo_seq.cli.bench.scale import Scale, UnavailableError

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
CHUNK = 64 * KIBIBYTE
TOTAL = 1024 * MEBIBYTE
WARM_UP = 16 * MEBIBYTE
# The target is for a ring of this size: sixteen chunks, so that the two need not meet at each. The
# others are there to show what the size does; in the smallest there is room for one chunk.
JUDGED = "1 MiB"
CAPACITIES = {
    "64 KiB": 64 * KIBIBYTE,
    "256 KiB": 256 * KIBIBYTE,
    "1 MiB": MEBIBYTE,
    "4 MiB": 4 * MEBIBYTE,
}
PATTERN = np.random.default_rng(3).integers(0, 255, CHUNK, np.uint8)
CHUNK_VIEW = PATTERN.data

Look = Callable[[memoryview], object]  # what the reader does with each piece


def no_look(_piece: memoryview) -> None:
    """The reader has the bytes, and that is all."""


def add_up(piece: memoryview) -> None:
    np.frombuffer(piece, np.uint64, piece.nbytes // 8).sum()


class Comparison:
    """Of all the bytes, in pieces of any size."""

    def __init__(self) -> None:
        self.at = 0

    def look(self, piece: memoryview) -> None:
        rolled = np.roll(PATTERN, -self.at)
        for start in range(0, piece.nbytes, CHUNK):
            part = piece[start : start + CHUNK]
            if part != rolled[: part.nbytes].data:
                raise AssertionError(f"what was read at {self.at} is not what was written")
        self.at = (self.at + piece.nbytes) % CHUNK


def put_copied(producer: DataPipeProducerHandle, total: int) -> None:
    left = total
    view = CHUNK_VIEW
    while left:
        try:
            written = producer.write(view)
        except ShouldWaitError:
            wait(producer, Signals.WRITABLE)
            continue
        left -= written
        view = view[written:] if written < view.nbytes else CHUNK_VIEW


def put_in_place(producer: DataPipeProducerHandle, total: int) -> None:
    """A chunk as soon as there is room for any of it."""
    left = total
    at = 0
    while left:
        try:
            window = producer.begin_write()
        except ShouldWaitError:
            wait(producer, Signals.WRITABLE)
            continue
        amount = min(window.nbytes, CHUNK - at)
        with window:
            with memoryview(window) as view:
                view[:amount] = CHUNK_VIEW[at : at + amount]
            window.commit(amount)
        left -= amount
        at = (at + amount) % CHUNK


def take_copied(consumer: DataPipeConsumerHandle, total: int, look: Look) -> None:
    left = total
    buffer = memoryview(bytearray(CHUNK))
    while left:
        try:
            taken = consumer.readinto(buffer)
        except ShouldWaitError:
            wait(consumer, READABLE)
            continue
        look(buffer[:taken])
        left -= taken


def take_in_place(consumer: DataPipeConsumerHandle, total: int, look: Look) -> None:
    left = total
    while left:
        try:
            window = consumer.begin_read()
        except ShouldWaitError:
            wait(consumer, READABLE)
            continue
        amount = min(window.nbytes, CHUNK)
        with window:
            with memoryview(window) as view, view[:amount] as piece:
                look(piece)
            window.consume(amount)
        left -= amount


def mojo_reader(pipe: MessagePipeHandle, core: int, in_place: bool, look: Look, total: int) -> None:
    place(core)
    message = receive(pipe)
    (consumer,) = message.take_handles()
    if not isinstance(consumer, DataPipeConsumerHandle):
        raise TypeError(consumer)
    take = take_in_place if in_place else take_copied
    with consumer:
        take(consumer, WARM_UP, Comparison().look)
        pipe.write(b"warm")
        take(consumer, total, look)
        pipe.write(b"done")


def mojo(in_place: bool, capacity: int, look: Look, scale: Scale) -> float:
    """Gigabytes a second."""
    here, there = two_cores()
    total = max(CHUNK, scale.n(TOTAL) // CHUNK * CHUNK)
    with mojo_child(mojo_reader, there, in_place, look, total) as pipe:
        place(here)
        producer, consumer = create_data_pipe(capacity)
        pipe.write(b"", [consumer])
        put = put_in_place if in_place else put_copied
        with producer:
            put(producer, WARM_UP)
            receive(pipe)
            start = time.perf_counter()
            put(producer, total)
            receive(pipe)
            return total / (time.perf_counter() - start) / 1e9


def socket_reader(connection: socket.socket, core: int, look: Look, total: int) -> None:
    place(core)
    buffer = memoryview(bytearray(CHUNK))

    def take(left: int, look: Look) -> None:
        while left:
            taken = connection.recv_into(buffer)
            if taken == 0:
                raise EOFError
            look(buffer[:taken])
            left -= taken

    take(WARM_UP, Comparison().look)
    connection.send(b"warm")
    take(total, look)
    connection.send(b"done")


def unix_socket(send_buffer: int, look: Look, scale: Scale) -> float:
    """Gigabytes a second; with the system's own size of buffer if that is 0."""
    here, there = two_cores()
    total = max(CHUNK, scale.n(TOTAL) // CHUNK * CHUNK)
    near, far = socket.socketpair()
    if send_buffer:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        if near.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < send_buffer:
            raise UnavailableError("the system allows no such buffer")
    answer = memoryview(bytearray(4))
    with peer_child(socket_reader, far, there, look, total), near:
        far.close()
        place(here)

        def put(total: int) -> None:
            for _ in range(total // CHUNK):
                near.sendall(CHUNK_VIEW)

        put(WARM_UP)
        receive_exactly(near, answer)
        start = time.perf_counter()
        put(total)
        receive_exactly(near, answer)
        return total / (time.perf_counter() - start) / 1e9


def measure(what: str, look: Look, capacities: dict[str, int]) -> Measure:
    def ours(way: str, in_place: bool) -> dict[str, Any]:
        return {
            f"{way}, {name}": partial(mojo, in_place, capacity, look)
            for name, capacity in capacities.items()
        }

    two_phase, copied = ours("two-phase", True), ours("write/readinto", False)
    sockets = {
        "Unix socketpair": partial(unix_socket, 0, look),
        "Unix socketpair, SO_SNDBUF 4 MiB": partial(unix_socket, 4 * MEBIBYTE, look),
    }
    contenders = {**two_phase, **copied, **sockets}
    return Measure(
        f"data pipe: 1 GiB to another process, chunks of 64 KiB, {what}",
        "GB/s",
        tuple(Contender(name, sample) for name, sample in contenders.items()),
        (
            Target.better(f"two-phase, {JUDGED}", "Unix socketpair", 2),
            Target.better(f"write/readinto, {JUDGED}", "Unix socketpair", 1.5),
        ),
        higher_is_better=True,
    )


MEASURES = (
    measure("only moved", no_look, CAPACITIES),
    measure("summed by the reader", add_up, {JUDGED: CAPACITIES[JUDGED]}),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
