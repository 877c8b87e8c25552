"""One way, 64 bytes a message: how many reach the other process in a second.

The clock stops when the reader has them all, so nothing is gained by queueing. Two processors. The
peers have no batches; a Unix socket that keeps boundaries is the least that one message each can
cost from Python.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from itertools import repeat
from multiprocessing.connection import Connection
from typing import Any

from harness import Contender, Measure, Scale, main, two_cores
from two_processes import READABLE, mojo_child, peer_child, place, receive
from verdict import Target

from mojo_seq import MessagePipeHandle, ShouldWaitError, wait

PAYLOAD = b"x" * 64
BATCH = [PAYLOAD] * 64
ALL_HERE = b"all here"


def thousands_a_second(scale: Scale, run: Callable[[int], object], messages: int = 1) -> float:
    """Rate of `run(n)`, which sends n times so many messages and returns when all have arrived."""
    return messages / scale.per_operation(run, 1.0) / 1e3


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
    here, there = two_cores()
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
    here, there = two_cores()
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
    here, there = two_cores()
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


def socket_reader(connection: socket.socket, core: int) -> None:
    place(core)
    receive = connection.recv
    while count := receive(64):
        for _ in repeat(None, int(count)):
            receive(64)
        connection.send(ALL_HERE)


def bare_socket(scale: Scale) -> float:
    here, there = two_cores()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with peer_child(socket_reader, far, there), near:
        far.close()
        place(here)
        send = near.send

        def run(n: int) -> None:
            send(b"%d" % n)
            for _ in repeat(None, n):
                send(PAYLOAD)
            near.recv(64)

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

    here, there = two_cores()
    address = f"ipc://@mojo_seq-perf-{os.getpid()}"  # in the abstract namespace: no file
    near, far = multiprocessing.Pipe()
    context: Any = zmq.Context()
    with context, context.socket(zmq.PUSH) as writer:
        writer.set_hwm(0)
        writer.bind(address)
        with peer_child(zmq_reader, address, far, there), near:
            far.close()
            place(here)
            send = writer.send

            def run(n: int) -> None:
                near.send_bytes(b"%d" % n)
                for _ in repeat(None, n):
                    send(PAYLOAD)
                near.recv_bytes()

            return thousands_a_second(scale, run)


MEASURES = (
    Measure(
        "one way, 64 B messages to another process",
        "thousands a second",
        (
            Contender("mojo_seq, one by one", mojo_one_by_one),
            Contender("mojo_seq, batches of 64", mojo_batches),
            Contender("multiprocessing.Pipe", multiprocessing_pipe),
            Contender("pyzmq PUSH/PULL over ipc", pyzmq, requires="zmq"),
            Contender("bare Unix socket, SOCK_SEQPACKET", bare_socket),
        ),
        (
            Target.better("mojo_seq, one by one", "multiprocessing.Pipe", 2),
            Target.better("mojo_seq, batches of 64", "multiprocessing.Pipe", 10),
        ),
        higher_is_better=True,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
