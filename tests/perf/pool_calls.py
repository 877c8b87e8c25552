"""Calls of a pool of four processes: nothing to do, submitted one by one; and map in chunks.

Everything is submitted before the first result is asked for. The workers run already.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from harness import Contender, Measure, Scale, main, timed
from pool_tasks import nothing, same
from verdict import Target

from mojo_seq import ProcessPool

WORKERS = 4
CALLS = 10_000
ITEMS = 200_000
CHUNK = 100
REPEATS = 5

MOJO = "mojo_seq.ProcessPool"
EXECUTOR = "ProcessPoolExecutor"
POOL = "multiprocessing.Pool"


@contextmanager
def mojo() -> Iterator[Executor]:
    with ProcessPool(WORKERS) as pool:
        yield pool


@contextmanager
def executor() -> Iterator[Executor]:
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        yield pool


def submitted(open_pool: Callable[[], AbstractContextManager[Executor]], scale: Scale) -> float:
    """Calls per second."""
    with open_pool() as pool:

        def run(n: int) -> None:
            for future in [pool.submit(nothing) for _ in range(n)]:
                future.result()

        return best(run, scale.n(CALLS))


def mapped(open_pool: Callable[[], AbstractContextManager[Executor]], scale: Scale) -> float:
    """Items per second."""
    with open_pool() as pool:
        return best(lambda n: list(pool.map(same, range(n), chunksize=CHUNK)), scale.n(ITEMS))


def applied_by_multiprocessing(scale: Scale) -> float:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:

        def run(n: int) -> None:
            for result in [pool.apply_async(nothing) for _ in range(n)]:
                result.get()

        return best(run, scale.n(CALLS))


def mapped_by_multiprocessing(scale: Scale) -> float:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        return best(lambda n: pool.map(same, range(n), chunksize=CHUNK), scale.n(ITEMS))


def best(run: Callable[[int], object], n: int) -> float:
    """Per second, of a few runs."""
    run(max(100, n // 10))
    return n / min(timed(run, n) for _ in range(REPEATS))


MEASURES = (
    Measure(
        "10,000 calls of nothing, submitted one by one, 4 workers",
        "calls/s",
        (
            Contender(MOJO, partial(submitted, mojo)),
            Contender(EXECUTOR, partial(submitted, executor)),
            Contender(POOL, applied_by_multiprocessing),
        ),
        (Target.better(MOJO, EXECUTOR, 3.0), Target.better(MOJO, POOL, 1.0)),
        higher_is_better=True,
    ),
    Measure(
        f"map with chunks of {CHUNK}, 4 workers",
        "items/s",
        (
            Contender(MOJO, partial(mapped, mojo)),
            Contender(EXECUTOR, partial(mapped, executor)),
            Contender(POOL, mapped_by_multiprocessing),
        ),
        (Target.better(MOJO, POOL, 1.0),),
        higher_is_better=True,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
