"""The first result of a pool: how long it takes from making the pool, its imports included."""

from __future__ import annotations

import multiprocessing
import sys
import time

from harness import Contender, Measure, Scale, main
from pool_tasks import nothing
from verdict import Target

MOJO = "mojo_seq.ProcessPool"
EXECUTOR = "ProcessPoolExecutor, spawn"
WORKERS = 4


def mojo(scale: Scale) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    from mojo_seq import ProcessPool

    with ProcessPool(WORKERS) as pool:
        pool.submit(nothing).result()
        return (time.perf_counter() - start) * 1e3


def executor(scale: Scale) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        pool.submit(nothing).result()
        return (time.perf_counter() - start) * 1e3


MEASURES = (
    Measure(
        "first result of a new pool",
        "ms",
        (Contender(MOJO, mojo), Contender(EXECUTOR, executor)),
        (Target.within(MOJO, EXECUTOR, 1.0),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
