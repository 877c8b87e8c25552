"""Message pipe: write and read 64 bytes in one thread, against queues and multiprocessing's pipe.

What is compared is the price of a message when nobody has to be woken up. A deque only moves a
reference and a SimpleQueue adds a lock; `multiprocessing.Pipe` is the one with like promises
(bytes are copied, boundaries are kept, the ends can be sent elsewhere).
"""

from __future__ import annotations

import asyncio
import collections
import sys
from itertools import repeat

from harness import Measure, main
from verdict import Target

import mojo_seq
from mojo_seq.cli.bench.cases.pipe import (
    PAYLOAD,
    message_pipe,
    message_pipe_batch,
    multiprocessing_pipe,
    nanoseconds,
    simple_queue,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale


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


def asyncio_queue(scale: Scale) -> float:
    channel: asyncio.Queue[bytes] = asyncio.Queue()
    return nanoseconds(scale, channel.put_nowait, channel.get_nowait)


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
