"""Round trip of 64 bytes between two processes, against multiprocessing.Pipe and a bare socket.

The other process sends back what it gets; each side waits, with nothing else to do. On one
processor that shows what the software costs; on two what it costs to wake a sleeping processor,
or that a short spin saved it. After a pause both sides are asleep for certain, and nothing is
saved. Wherever the scheduler puts them, it may be any of these.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import repeat

from harness import Measure, main
from iceoryx2_link import iceoryx2_busy
from verdict import Target

from mojo_seq.cli.bench.cases.round_trip import (
    PAYLOAD,
    Link,
    RoundTrips,
    after_a_pause,
    mojo,
    multiprocessing_pipe,
    steady,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import peer_child
from mojo_seq.cli.bench.placing import Cores, anywhere, one_core, place, two_cores
from mojo_seq.cli.bench.scale import Scale

BUSY = "iceoryx2, busy polling"


def socket_echo(connection: socket.socket, core: int | None) -> None:
    place(core)
    send, receive = connection.send, connection.recv
    while received := receive(64):
        send(received)


@contextmanager
def bare_socket(here: int | None, there: int | None) -> Iterator[RoundTrips]:
    """Two system calls a side and no framing: the least that it can cost from Python, asleep."""
    near, far = socket.socketpair()
    with peer_child(socket_echo, far, there), near:
        far.close()
        place(here)
        send, receive = near.send, near.recv

        def run(n: int) -> None:
            for _ in repeat(None, n):
                send(PAYLOAD)
                receive(64)

        yield run


def measure(
    where: str,
    how: Callable[[Link, Cores, Scale], float],
    cores: Cores,
    factor: float,
    *targets: Target,
    more: tuple[Contender, ...] = (),
) -> Measure:
    return Measure(
        f"round trip of 64 B between two processes, {where}",
        "us",
        (
            Contender("mojo_seq", partial(how, mojo, cores)),
            Contender("multiprocessing.Pipe", partial(how, multiprocessing_pipe, cores)),
            Contender("bare Unix socket", partial(how, bare_socket, cores)),
            *more,
        ),
        (Target.within("mojo_seq", "multiprocessing.Pipe", factor), *targets),
    )


MEASURES = (
    measure("one processor", steady, one_core, 1.0),
    measure(
        "two processors",
        steady,
        two_cores,
        0.05,
        Target.at_most("mojo_seq", 2, "us"),
        Target.within("mojo_seq", BUSY, 1.0),
        more=(Contender(BUSY, partial(steady, iceoryx2_busy, two_cores), "iceoryx2"),),
    ),
    measure("two processors, both asleep", after_a_pause, two_cores, 1.0),
    measure("wherever they run", steady, anywhere, 1.0),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
