"""A pair of iceoryx2 services between two processes, each side busily polling.

That is the fastest way it has: memory both share, and nobody ever sleeps.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from multiprocessing.connection import Connection
from typing import Any

from mojo_seq.cli.bench.cases.round_trip import PAYLOAD, RoundTrips
from mojo_seq.cli.bench.other_process import peer_child
from mojo_seq.cli.bench.placing import place

LAST = 1  # the first byte of the last message


class Payload(ctypes.Structure):
    """What goes to and fro."""

    _fields_ = (("data", ctypes.c_uint8 * len(PAYLOAD)),)

    @staticmethod
    def type_name() -> str:
        return "Payload"


def ends(name: str, out: str, back: str) -> tuple[Any, Any, list[Any]]:
    """What sends to service `out`, what receives from `back`, and what must live as long."""
    import iceoryx2

    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)

    def service(direction: str) -> Any:
        full = iceoryx2.ServiceName.new(f"{name}/{direction}")
        return node.service_builder(full).publish_subscribe(Payload).open_or_create()

    services = service(out), service(back)
    publisher = services[0].publisher_builder().create()
    subscriber = services[1].subscriber_builder().create()
    return publisher, subscriber, [node, *services]


def echo(name: str, ready: Connection, core: int | None) -> None:
    place(core)
    publisher, subscriber, _kept = ends(name, "back", "forth")
    send, receive = publisher.send_copy, subscriber.receive
    ready.send_bytes(b"")
    while True:
        if (sample := receive()) is not None:
            payload = sample.payload().contents
            if payload.data[0] == LAST:
                return
            send(payload)


@contextmanager
def iceoryx2_busy(here: int | None, there: int | None) -> Iterator[RoundTrips]:
    name = f"mojo_seq-perf-{os.getpid()}"
    near, far = multiprocessing.Pipe()
    publisher, subscriber, _kept = ends(name, "forth", "back")
    with near, peer_child(echo, name, far, there):
        far.close()
        near.recv_bytes()
        place(here)
        send, receive = publisher.send_copy, subscriber.receive
        payload = Payload()

        def run(n: int) -> None:
            for _ in repeat(None, n):
                send(payload)
                while (sample := receive()) is None:
                    pass
                sample.payload()

        yield run
        payload.data[0] = LAST
        send(payload)
