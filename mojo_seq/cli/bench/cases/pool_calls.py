"""Calls of nothing in a pool of four workers, all submitted before the first result is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pool_tasks import nap, nothing
from mojo_seq.cli.bench.peers.pools import (
    OpenExecutor,
    executor_pool,
    mojo_pool,
    multiprocessing_pool,
    ray_pool,
)
from mojo_seq.cli.bench.scale import Scale

WORKERS = 4
ROUND = 2 * WORKERS  # tasks

Task = Callable[[], Any]
Calls = Callable[[Task, int], list[Any]]  # the results of so many calls
OpenCalls = Callable[[], AbstractContextManager[Calls]]


@contextmanager
def submitted(open_pool: OpenExecutor) -> Iterator[Calls]:
    with open_pool(WORKERS) as pool:

        def calls(task: Task, n: int) -> list[Any]:
            return results([pool.submit(task) for _ in range(n)])

        yield calls


def results(futures: list[Any]) -> list[Any]:
    return [future.result() for future in futures]


@contextmanager
def applied() -> Iterator[Calls]:
    with multiprocessing_pool(WORKERS) as pool:

        def calls(task: Task, n: int) -> list[Any]:
            return [result.get() for result in [pool.apply_async(task) for _ in range(n)]]

        yield calls


@contextmanager
def ray_tasks() -> Iterator[Calls]:
    with ray_pool(WORKERS) as ray:
        remote = {task: ray.remote(task) for task in (nothing, nap)}

        def calls(task: Task, n: int) -> list[Any]:
            send = remote[task].remote
            done: list[Any] = ray.get([send() for _ in range(n)])
            return done

        yield calls


def thousands_a_second(open_calls: OpenCalls, scale: Scale) -> float:
    with open_calls() as calls:
        start_all(calls)
        return 1 / scale.per_operation(lambda n: calls(nothing, n), 2.0) / 1e3


def start_all(calls: Calls) -> None:
    """Returns when all workers have started: pools start them one by one, or in the background."""
    seen = set[int]()
    while len(seen) < WORKERS:
        seen.update(calls(nap, ROUND))


def contender(name: str, open_calls: OpenCalls, requires: str | None = None) -> Contender:
    return Contender(name, partial(thousands_a_second, open_calls), requires)


CASE = Case(
    f"calls of nothing, pool of {WORKERS} processes",
    "k/s",
    (
        contender("mojo_seq.ProcessPool", partial(submitted, mojo_pool)),
        contender("ProcessPoolExecutor", partial(submitted, executor_pool), "concurrent.futures"),
        contender("multiprocessing.Pool", applied, "multiprocessing"),
        contender("Ray, tasks", ray_tasks, "ray"),
    ),
    higher_is_better=True,
)
