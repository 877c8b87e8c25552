"""A pyzmq socket to another process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mojo_seq.cli.bench.other_process import peer_child
from mojo_seq.cli.bench.placing import place


def zmq_address() -> str:
    """One of this process's own, in the abstract namespace: no file."""
    return f"ipc://@mojo_seq-bench-{os.getpid()}"


@contextmanager
def zmq_child(target: Callable[[Any], None], core: int | None) -> Iterator[Any]:
    """Runs `target(socket)` in another process, on that processor; gives the other socket.

    An empty message tells the target to return.
    """
    import zmq

    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.bind(zmq_address())
        with peer_child(connected, zmq_address(), target, core):
            yield socket
            socket.send(b"")


def connected(address: str, target: Callable[[Any], None], core: int | None) -> None:
    import zmq

    place(core)  # also the threads that the context makes
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.connect(address)
        target(socket)
