"""Calls of a pool of four processes: nothing to do, submitted one by one; and map in chunks.

Everything is submitted before the first result is asked for. The workers run already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from harness import Measure, main
from pool_tasks import same
from verdict import Target

from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pool_tasks import nothing
from mojo_seq.cli.bench.peers.pools import (
    OpenExecutor,
    executor_pool,
    mojo_pool,
    multiprocessing_pool,
)
from mojo_seq.cli.bench.scale import Scale, timed

WORKERS = 4
CALLS = 10_000
ITEMS = 200_000
CHUNK = 100
REPEATS = 5

MOJO = "mojo_seq.ProcessPool"
EXECUTOR = "ProcessPoolExecutor"
POOL = "multiprocessing.Pool"


def submitted(open_pool: OpenExecutor, scale: Scale) -> float:
    """Calls per second."""
    with open_pool(WORKERS) as pool:

        def run(n: int) -> None:
            for future in [pool.submit(nothing) for _ in range(n)]:
                future.result()

        return best(run, scale.n(CALLS))


def mapped(open_pool: OpenExecutor, scale: Scale) -> float:
    """Items per second."""
    with open_pool(WORKERS) as pool:
        return best(lambda n: list(pool.map(same, range(n), chunksize=CHUNK)), scale.n(ITEMS))


def applied_by_multiprocessing(scale: Scale) -> float:
    with multiprocessing_pool(WORKERS) as pool:

        def run(n: int) -> None:
            for result in [pool.apply_async(nothing) for _ in range(n)]:
                result.get()

        return best(run, scale.n(CALLS))


def mapped_by_multiprocessing(scale: Scale) -> float:
    with multiprocessing_pool(WORKERS) as pool:
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
            Contender(MOJO, partial(submitted, mojo_pool)),
            Contender(EXECUTOR, partial(submitted, executor_pool)),
            Contender(POOL, applied_by_multiprocessing),
        ),
        (
            Target.at_least(MOJO, 100_000, "calls/s"),
            Target.better(MOJO, EXECUTOR, 3.0),
            Target.better(MOJO, POOL, 1.0),
        ),
        higher_is_better=True,
    ),
    Measure(
        f"map with chunks of {CHUNK}, 4 workers",
        "items/s",
        (
            Contender(MOJO, partial(mapped, mojo_pool)),
            Contender(EXECUTOR, partial(mapped, executor_pool)),
            Contender(POOL, mapped_by_multiprocessing),
        ),
        (Target.better(MOJO, POOL, 1.0),),
        higher_is_better=True,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
