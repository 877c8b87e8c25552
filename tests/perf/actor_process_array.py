"""A numpy array of 64 MiB as an argument to an actor in another process, against xoscar and Ray.

By value the array stays with the asker, and the actor gets a copy; it looks at both ends and
answers. What is computed with the array is the same for all, and not measured here. With ownership
handed over, an array in a shared buffer goes to the actor without a copy: that may not depend on
its size. Two processors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from statistics import median

import numpy as np
from harness import Measure, main
from verdict import Target

from mojo_seq import create_shared_buffer
from mojo_seq.cli.bench.cases.ask_process import Link, mojo, ray
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.xoscar_actors import xoscar
from mojo_seq.cli.bench.placing import two_cores
from mojo_seq.cli.bench.scale import Scale

MEBIBYTE = 1024 * 1024
NBYTES = 64 * MEBIBYTE
SIZES = {"1 MiB": MEBIBYTE, "8 MiB": 8 * MEBIBYTE, "64 MiB": NBYTES}
WARM_UP = 5

PEERS: dict[str, Link] = {"xoscar": xoscar, "ray": ray}


def median_seconds(once: Callable[[float], tuple[float, float]], n: int) -> float:
    """`once(value)` sends an array that begins with value and ends with -value: what arrived."""
    times = []
    for turn in range(n + WARM_UP):
        start = time.perf_counter()
        ends = once(turn)
        times.append(time.perf_counter() - start)
        if ends != (turn, -turn):
            raise AssertionError(f"{ends} instead of {turn}, {-turn}")
    return median(times[WARM_UP:])


def by_value(link: Link, scale: Scale) -> float:
    """Milliseconds."""
    array = np.ones(NBYTES // 8)
    with link(*two_cores()) as asks:

        def once(value: float) -> tuple[float, float]:
            array[0], array[-1] = value, -value
            ends: tuple[float, float] = asks("look", array, 1)
            return ends

        return median_seconds(once, scale.n(100)) * 1e3


def one_copy(scale: Scale) -> float:
    """Milliseconds. The least that a value costs: from one array to another, nobody asked."""
    array = np.ones(NBYTES // 8)
    copy = np.empty_like(array)

    def once(value: float) -> tuple[float, float]:
        array[0], array[-1] = value, -value
        np.copyto(copy, array)
        return float(copy[0]), float(copy[-1])

    return median_seconds(once, scale.n(100)) * 1e3


def handed_over(nbytes: int, scale: Scale) -> float:
    """Microseconds. The buffers are made beforehand."""
    n = scale.n(500)
    values = count()
    buffers = []
    for value, _ in zip(values, range(n + WARM_UP), strict=False):
        buffer = create_shared_buffer(nbytes)
        array = buffer.as_array(np.float64)
        array[0], array[-1] = value, -value
        buffers.append(buffer)
    with mojo(*two_cores()) as asks:
        return median_seconds(lambda turn: asks("take", buffers[int(turn)], 1), n) * 1e6


MEASURES = (
    Measure(
        "numpy array of 64 MiB as an argument to an actor in another process, by value",
        "ms",
        (
            Contender("mojo_seq", partial(by_value, mojo)),
            *(Contender(name, partial(by_value, link), name) for name, link in PEERS.items()),
            Contender("one copy of it in memory", one_copy),
        ),
        tuple(Target.better("mojo_seq", peer, 10) for peer in PEERS),
    ),
    Measure(
        "the same with ownership handed over, a SharedBufferHandle as the argument",
        "us",
        tuple(Contender(name, partial(handed_over, nbytes)) for name, nbytes in SIZES.items()),
        # Independent of the size; half as much again is for the noise.
        (Target.within("64 MiB", "1 MiB", 1.5), Target.within("8 MiB", "1 MiB", 1.5)),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
