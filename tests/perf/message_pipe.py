"""Message pipe: write and read 64 bytes in one thread, against queues and multiprocessing's pipe.

What is compared is the price of a message when nobody has to be woken up. A deque only moves a
reference and a SimpleQueue adds a lock; `multiprocessing.Pipe` is the one with like promises
(bytes are copied, boundaries are kept, the ends can be sent elsewhere).
"""

from __future__ import annotations

import asyncio
import collections
import multiprocessing
import queue
import sys
from collections.abc import Callable
from itertools import repeat

from harness import Contender, Measure, Scale, main
from verdict import Target

import mojo_seq

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


def message_pipe_bytes(scale: Scale) -> float:
    """The same, and the payload as bytes: what the peers' readers have in hand."""
    near, far = mojo_seq.create_message_pipe()
    with near, far:
        write, read = near.write, far.read

        def run(n: int) -> None:
            for _ in repeat(None, n):
                write(PAYLOAD)
                bytes(read())

        return scale.per_operation(run) * 1e9


def message_pipe_batch(scale: Scale) -> float:
    """One message's share of a batch of 64."""
    near, far = mojo_seq.create_message_pipe()
    with near, far:
        write, read = near.write_batch, far.read_batch

        def run(n: int) -> None:
            for _ in repeat(None, n):
                write(BATCH)
                read()

        return scale.per_operation(run) * 1e9 / len(BATCH)


def multiprocessing_pipe(scale: Scale) -> float:
    near, far = multiprocessing.Pipe()
    with near, far:
        return nanoseconds(scale, near.send_bytes, far.recv_bytes)


def asyncio_queue(scale: Scale) -> float:
    channel: asyncio.Queue[bytes] = asyncio.Queue()
    return nanoseconds(scale, channel.put_nowait, channel.get_nowait)


def simple_queue(scale: Scale) -> float:
    channel: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    return nanoseconds(scale, channel.put, channel.get)


def deque(scale: Scale) -> float:
    channel: collections.deque[bytes] = collections.deque()
    return nanoseconds(scale, channel.append, channel.popleft)


MEASURES = (
    Measure(
        "message pipe: write + read of 64 B, one thread",
        "ns a pair",
        (
            Contender("mojo_seq", message_pipe),
            Contender("mojo_seq, payload taken as bytes", message_pipe_bytes),
            Contender("mojo_seq, batches of 64", message_pipe_batch),
            Contender("multiprocessing.Pipe", multiprocessing_pipe),
            Contender("asyncio.Queue", asyncio_queue),
            Contender("queue.SimpleQueue", simple_queue),
            Contender("collections.deque", deque),
        ),
        (
            Target.at_most("mojo_seq", 400, "ns"),
            Target.better("mojo_seq", "multiprocessing.Pipe", 10),
            Target.better("mojo_seq", "asyncio.Queue", 1),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
