"""A numpy array of 8 MiB as a message; the other process sums it and answers. Two processors.

The first two measures send an array that exists: one at a time, which is copying and then summing,
and with four on the way, which is whichever takes longer. In the third one it is built for the
purpose each time, which `Message.allocate` lets happen in the memory that is going to be sent; all
of it is filled, so it need not be zero before. Building and summing are in the figures. In the last
one nothing is built or summed: what is left is the price of the hand-over, and it may not depend on
the size, because nothing is copied. (Memory that is asked for as zeros costs their writing.)
"""

from __future__ import annotations

import sys
from functools import partial

from harness import Measure, main
from verdict import Target

from mojo_seq.cli.bench.cases.array import (
    NBYTES,
    Link,
    milliseconds,
    mojo_allocate,
    mojo_write,
    multiprocessing_pipe,
    multiprocessing_queue,
    pyzmq,
)
from mojo_seq.cli.bench.cases.array_in_place import hand_over
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.placing import two_cores

MEBIBYTE = 1024 * 1024
TURNS = 200
SIZES = {"1 MiB": MEBIBYTE, "8 MiB": NBYTES, "64 MiB": 64 * MEBIBYTE}


def measure(what: str, rebuilt: bool, ahead: int, *ours: tuple[str, Link]) -> Measure:
    def contender(name: str, link: Link, requires: str | None = None) -> Contender:
        return Contender(
            name, partial(milliseconds, link, rebuilt, ahead, TURNS, two_cores), requires
        )

    return Measure(
        f"numpy array of 8 MiB to another process, which sums it; {what}",
        "ms",
        (
            *(contender(name, link) for name, link in ours),
            contender("multiprocessing.Queue", multiprocessing_queue),
            contender("multiprocessing.Pipe", multiprocessing_pipe),
            contender("pyzmq over ipc", pyzmq, requires="zmq"),
        ),
        tuple(
            Target.better(name, other, factor)
            for name, _ in ours
            for other, factor in (("multiprocessing.Queue", 20), ("pyzmq over ipc", 4))
        ),
    )


WRITE = ("mojo_seq, write", mojo_write)
ALLOCATE = ("mojo_seq, Message.allocate(zeroed=False)", mojo_allocate)

MEASURES = (
    measure("one at a time", False, 0, WRITE),
    measure("four on the way", False, 3, WRITE),
    measure("built each time", True, 0, ALLOCATE, WRITE),
    Measure(
        "hand-over of a numpy array in place to another process, Message.allocate(zeroed=False)",
        "us",
        (
            *(
                Contender(name, partial(hand_over, nbytes, False, two_cores))
                for name, nbytes in SIZES.items()
            ),
            Contender("8 MiB, zeroed=True", partial(hand_over, NBYTES, True, two_cores)),
        ),
        # Independent of the size; half as much again is for the noise.
        (Target.within("64 MiB", "1 MiB", 1.5), Target.within("8 MiB", "1 MiB", 1.5)),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
