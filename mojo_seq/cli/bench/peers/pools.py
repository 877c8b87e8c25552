"""Worker pools: ours and those they are compared to. All but one start fresh interpreters."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.pool import Pool
from typing import Any

from mojo_seq import ProcessPool
from mojo_seq.cli.bench.peers.ray_session import ray_session

OpenExecutor = Callable[[int], AbstractContextManager[Executor]]  # with so many workers


@contextmanager
def mojo_pool(workers: int) -> Iterator[ProcessPool]:
    with ProcessPool(workers) as pool:
        yield pool


@contextmanager
def executor_pool(workers: int, method: str = "spawn") -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(workers, multiprocessing.get_context(method)) as pool:
        yield pool


@contextmanager
def multiprocessing_pool(workers: int) -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield pool


@contextmanager
def ray_pool(workers: int) -> Iterator[Any]:
    with ray_session(workers) as ray:
        yield ray
