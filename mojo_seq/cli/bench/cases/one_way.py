"""One way, 64 bytes a message: how many reach another process in a second.

The clock stops when the reader has them all, so nothing is gained by queueing. The peers have no
batches; pyzmq makes some of its own.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from itertools import repeat
from multiprocessing.connection import Connection
from typing import Any

from mojo_seq import MessagePipeHandle, ShouldWaitError, wait
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, peer_child, receive
from mojo_seq.cli.bench.peers.zmq_child import zmq_address
from mojo_seq.cli.bench.placing import apart, place
from mojo_seq.cli.bench.scale import Scale

PAYLOAD = b"x" * 64
BATCH = [PAYLOAD] * 64
ALL_HERE = b"all here"


def thousands_a_second(scale: Scale, run: Callable[[int], object], messages: int = 1) -> float:
    """Rate of `run(n)`, which sends n times so many messages and returns when all have arrived."""
    return 1 / scale.per_operation(run, 1.0, messages) / 1e3


def mojo_reader(pipe: MessagePipeHandle, core: int) -> None:
    """Reads as many as it is told, then says so; again and again."""
    place(core)
    read = pipe.read
    while True:
        for _ in repeat(None, int(bytes(receive(pipe)))):
            try:
                read()
            except ShouldWaitError:
                wait(pipe, READABLE)
                read()
        pipe.write(ALL_HERE)


def mojo_one_by_one(scale: Scale) -> float:
    here, there = apart()
    with mojo_child(mojo_reader, there) as pipe:
        place(here)
        write = pipe.write

        def run(n: int) -> None:
            write(b"%d" % n)
            for _ in repeat(None, n):
                write(PAYLOAD)
            receive(pipe)

        return thousands_a_second(scale, run)


def mojo_batch_reader(pipe: MessagePipeHandle, core: int) -> None:
    place(core)
    read = pipe.read_batch
    while True:
        left = int(bytes(receive(pipe)))
        while left:
            messages = read(left if left < 64 else 64)
            left -= len(messages)
            if not messages:
                wait(pipe, READABLE)
        pipe.write(ALL_HERE)


def mojo_batches(scale: Scale) -> float:
    here, there = apart()
    with mojo_child(mojo_batch_reader, there) as pipe:
        place(here)
        write = pipe.write_batch

        def run(n: int) -> None:
            pipe.write(b"%d" % (n * len(BATCH)))
            for _ in repeat(None, n):
                write(BATCH)
            receive(pipe)

        return thousands_a_second(scale, run, len(BATCH))


def connection_reader(connection: Connection, core: int) -> None:
    place(core)
    receive = connection.recv_bytes
    while True:
        for _ in repeat(None, int(receive())):
            receive()
        connection.send_bytes(ALL_HERE)


def multiprocessing_pipe(scale: Scale) -> float:
    here, there = apart()
    near, far = multiprocessing.Pipe()
    with peer_child(connection_reader, far, there), near:
        far.close()
        place(here)
        send = near.send_bytes

        def run(n: int) -> None:
            send(b"%d" % n)
            for _ in repeat(None, n):
                send(PAYLOAD)
            near.recv_bytes()

        return thousands_a_second(scale, run)


def zmq_reader(address: str, connection: Connection, core: int) -> None:
    import zmq

    place(core)
    with zmq.Context() as context, context.socket(zmq.PULL) as reader:
        reader.set_hwm(0)
        reader.connect(address)
        receive = reader.recv
        while True:
            for _ in repeat(None, int(connection.recv_bytes())):
                receive()
            connection.send_bytes(ALL_HERE)


def pyzmq(scale: Scale) -> float:
    """Its own threads send and receive, in batches of their own making."""
    import zmq

    here, there = apart()
    near, far = multiprocessing.Pipe()
    context: Any = zmq.Context()
    with context, context.socket(zmq.PUSH) as writer:
        writer.set_hwm(0)
        writer.bind(zmq_address())
        with peer_child(zmq_reader, zmq_address(), far, there), near:
            far.close()
            place(here)
            send = writer.send

            def run(n: int) -> None:
                near.send_bytes(b"%d" % n)
                for _ in repeat(None, n):
                    send(PAYLOAD)
                near.recv_bytes()

            return thousands_a_second(scale, run)


CASE = Case(
    "64 B messages one way to another process",
    "k/s",
    (
        Contender("mojo_seq, one by one", mojo_one_by_one),
        Contender("mojo_seq, batches of 64", mojo_batches),
        Contender("multiprocessing.Pipe", multiprocessing_pipe, "multiprocessing"),
        Contender("pyzmq, PUSH/PULL over ipc", pyzmq, "zmq"),
    ),
    higher_is_better=True,
)
