"""The first result of a new pool of four workers: from making it; everything was imported before.

A fork is faster than a fresh interpreter, which the others start; it takes over whatever the
process has, locks that its threads hold included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module

from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pool_tasks import nothing
from mojo_seq.cli.bench.peers.pools import executor_pool, mojo_pool, multiprocessing_pool, ray_pool
from mojo_seq.cli.bench.scale import Scale

WORKERS = 4


def submitted(open_pool: Callable[[int], AbstractContextManager[Executor]], scale: Scale) -> float:
    start = time.perf_counter()
    with scale.counting_cpu(1), open_pool(WORKERS) as pool:
        pool.submit(nothing).result()
        return (time.perf_counter() - start) * 1e3


def applied(scale: Scale) -> float:
    start = time.perf_counter()
    with scale.counting_cpu(1), multiprocessing_pool(WORKERS) as pool:
        pool.apply(nothing)
        return (time.perf_counter() - start) * 1e3


def ray_task(scale: Scale) -> float:
    import_module("ray")
    start = time.perf_counter()
    with scale.counting_cpu(1), ray_pool(WORKERS) as ray:
        ray.get(ray.remote(nothing).remote())
        return (time.perf_counter() - start) * 1e3


CASE = Case(
    f"first result of a new pool of {WORKERS} processes",
    "ms",
    (
        Contender("mojo_seq.ProcessPool", partial(submitted, mojo_pool)),
        Contender(
            "ProcessPoolExecutor, spawn", partial(submitted, executor_pool), "concurrent.futures"
        ),
        Contender(
            "ProcessPoolExecutor, fork",
            partial(submitted, partial(executor_pool, method="fork")),
            "concurrent.futures",
        ),
        Contender("multiprocessing.Pool", applied, "multiprocessing"),
        Contender("Ray", ray_task, "ray"),
    ),
)
