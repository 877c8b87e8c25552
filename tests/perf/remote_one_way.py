"""One way, 64 bytes a message: how many reach the other process in a second.

The clock stops when the reader has them all, so nothing is gained by queueing. Two processors. The
peers have no batches; a Unix socket that keeps boundaries is the least that one message each can
cost from Python.
"""

from __future__ import annotations

import socket
import sys
from itertools import repeat

from harness import Measure, main
from verdict import Target

from mojo_seq.cli.bench.cases.one_way import (
    ALL_HERE,
    PAYLOAD,
    mojo_batches,
    mojo_one_by_one,
    multiprocessing_pipe,
    pyzmq,
    thousands_a_second,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import peer_child
from mojo_seq.cli.bench.placing import place, two_cores
from mojo_seq.cli.bench.scale import Scale


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
            Target.at_least("mojo_seq, one by one", 2_000, "thousands a second"),
            Target.at_least("mojo_seq, batches of 64", 10_000, "thousands a second"),
            Target.better("mojo_seq, one by one", "multiprocessing.Pipe", 2),
            Target.better("mojo_seq, batches of 64", "multiprocessing.Pipe", 10),
        ),
        higher_is_better=True,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
