"""Write and read 64 bytes in one thread: the price of a message when nobody has to be woken up.

A SimpleQueue moves a reference under a lock. `multiprocessing.Pipe` is the one with like promises:
bytes are copied, boundaries are kept, the ends can be sent elsewhere.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable
from itertools import repeat

import mojo_seq
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale

PAYLOAD = b"x" * 64
BATCH = [PAYLOAD] * 64


def nanoseconds(
    scale: Scale, write: Callable[[bytes], object], read: Callable[[], object]
) -> float:
    """Time of one `write(PAYLOAD); read()`."""

    def run(n: int) -> None:
        for _ in repeat(None, n):
            write(PAYLOAD)
            read()

    return scale.per_operation(run) * 1e9


def message_pipe(scale: Scale) -> float:
    near, far = mojo_seq.create_message_pipe()
    with near, far:
        return nanoseconds(scale, near.write, far.read)


def message_pipe_batch(scale: Scale) -> float:
    """One message's share of a batch of 64."""
    near, far = mojo_seq.create_message_pipe()
    with near, far:
        write, read = near.write_batch, far.read_batch

        def run(n: int) -> None:
            for _ in repeat(None, n):
                write(BATCH)
                read()

        return scale.per_operation(run, operations=len(BATCH)) * 1e9


def multiprocessing_pipe(scale: Scale) -> float:
    near, far = multiprocessing.Pipe()
    with near, far:
        return nanoseconds(scale, near.send_bytes, far.recv_bytes)


def simple_queue(scale: Scale) -> float:
    channel: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    return nanoseconds(scale, channel.put, channel.get)


def pyzmq(scale: Scale) -> float:
    import zmq

    with zmq.Context() as context, context.socket(zmq.PAIR) as near:
        near.bind("inproc://bench")
        with context.socket(zmq.PAIR) as far:
            far.connect("inproc://bench")
            return nanoseconds(scale, near.send, far.recv)


CASE = Case(
    "64 B written and read, one thread",
    "ns",
    (
        Contender("mojo_seq, message pipe", message_pipe),
        Contender("mojo_seq, batches of 64", message_pipe_batch),
        Contender("queue.SimpleQueue", simple_queue, "queue"),
        Contender("multiprocessing.Pipe", multiprocessing_pipe, "multiprocessing"),
        Contender("pyzmq, inproc", pyzmq, "zmq"),
    ),
)
