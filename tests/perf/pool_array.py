"""A numpy array as an argument and as a result of a task in a pool, against ProcessPoolExecutor.

The task looks at both ends of its argument; its result was made before. What is computed is the
same for all, and not measured here. By value everything is copied once; what is given away or
shared is not copied, which may not depend on the size. The last measure is what many calls leave
behind, in the pool's process and its worker: memory that was used once is used again. One worker.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import Measure, main
from verdict import Target

from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pool_tasks import ends, write
from mojo_seq.cli.bench.peers.pools import OpenExecutor, executor_pool, mojo_pool
from mojo_seq.cli.bench.scale import Scale
from mojo_seq.process import give, shared_array

MEBIBYTE = 1024 * 1024
SIZES = {"1 MiB": MEBIBYTE, "8 MiB": 8 * MEBIBYTE, "64 MiB": 64 * MEBIBYTE}

Array = np.ndarray[Any, np.dtype[Any]]
made: dict[int, Array] = {}  # in the worker


def result_of(count: int) -> Array:
    if count not in made:
        made[count] = np.ones(count)
    return made[count]


def both(array: Array) -> Array:
    """A result that is not the argument."""
    result = result_of(len(array))
    result[0], result[-1] = array[0], array[-1]
    return result


def give_back(array: Array) -> Array:
    array[0], array[-1] = array[-1], array[0]
    return give(array)


def by_value(open_pool: OpenExecutor, task: Callable[..., Any], takes: bool, scale: Scale) -> float:
    """Milliseconds."""
    count = SIZES["64 MiB"] // 8
    array = np.arange(float(count))
    argument = array if takes else count
    with open_pool(1) as pool:
        return scale.per_turn(lambda: pool.submit(task, argument).result(), scale.n(100)) * 1e3


def given(nbytes: int, scale: Scale) -> float:
    """Microseconds. To the worker, which writes to it, and back."""
    array = shared_array(nbytes // 8)
    array[-1] = 1
    with mojo_pool(1) as pool:

        def once() -> None:
            nonlocal array
            array = pool.submit(give_back, give(array)).result()

        return scale.per_turn(once, scale.n(500)) * 1e6


def shared(nbytes: int, scale: Scale) -> float:
    """Microseconds. The worker writes to it in place."""
    array = shared_array(nbytes // 8)
    with mojo_pool(1) as pool:
        return scale.per_turn(lambda: pool.submit(write, array).result(), scale.n(500)) * 1e6


def memory_of(pid: int) -> int:
    """Bytes; what several processes have is divided among them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(
        next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))
    )


def growth(open_pool: OpenExecutor, scale: Scale) -> float:
    """Mebibytes more after all calls than after the first hundred."""
    array = np.ones(SIZES["8 MiB"] // 8)
    with open_pool(1) as pool:

        def call(n: int) -> int:
            for _ in range(n):
                pool.submit(both, array).result()
            return memory_of(os.getpid()) + memory_of(pool.submit(os.getpid).result())

        before = call(100)
        return max(0.0, (call(scale.n(10_000)) - before) / MEBIBYTE)


def measure(what: str, task: Callable[..., Any], takes: bool) -> Measure:
    return Measure(
        f"numpy array of 64 MiB as {what} of a task in another process, by value",
        "ms",
        (
            Contender("ProcessPool", partial(by_value, mojo_pool, task, takes)),
            Contender("ProcessPoolExecutor", partial(by_value, executor_pool, task, takes)),
        ),
        (Target.better("ProcessPool", "ProcessPoolExecutor", 10),),
    )


def by_size(title: str, sample: Callable[[int, Scale], float]) -> Measure:
    return Measure(
        title,
        "us",
        tuple(Contender(name, partial(sample, nbytes)) for name, nbytes in SIZES.items()),
        # Independent of the size; half as much again is for the noise.
        (Target.within("64 MiB", "1 MiB", 1.5), Target.within("8 MiB", "1 MiB", 1.5)),
    )


MEASURES = (
    measure("an argument", ends, True),
    measure("a result", result_of, False),
    measure("an argument and another as the result", both, True),
    by_size("numpy array given to a task, which writes to it and gives it back", given),
    by_size("shared_array as an argument of a task, which writes to it", shared),
    Measure(
        "growth of both processes in 10,000 calls with arguments and results of 8 MiB",
        "MiB",
        (Contender("ProcessPool", partial(growth, mojo_pool)),),
        (Target.at_most("ProcessPool", 16, "MiB"),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
