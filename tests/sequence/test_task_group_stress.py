"""Random trees of task groups, with failures, cancellations and deadlines: every future ends once,
nothing is left, and the errors are those that were raised."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from concurrent.futures import wait

import anyio
import pytest

from mojo_seq import (
    CancelledError,
    CancelScope,
    DeadlineExceededError,
    TaskFuture,
    TaskGroup,
    ThreadPool,
    check_cancelled,
    current_task,
    fail_after,
    move_on_after,
)

TIMEOUT = 30.0
TREES = 150


class PlantedError(Exception):
    """Raised by a task."""


class Tree:
    """One tree of groups. Its numbers are drawn under a lock: the threads share them."""

    def __init__(self, pool: ThreadPool, seed: int, *, loops: bool) -> None:
        self.pool = pool
        self.loops = loops
        """Whether tasks run event loops, each of which takes a thread until its group ends."""
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.ended = Counter[int]()
        """How often each future has told of its end."""
        self.futures: list[TaskFuture[None]] = []
        self.running = 0
        self.raised: set[PlantedError] = set()

    def draw(self) -> float:
        with self._lock:
            return self._rng.random()

    def submit(self, group: TaskGroup, depth: int) -> None:
        future = group.submit(self.work, depth)
        with self._lock:
            number = next(self._numbers)
            self.futures.append(future)
        future.add_done_callback(lambda _: self.count(number))

    def count(self, number: int) -> None:
        with self._lock:
            self.ended[number] += 1

    def work(self, depth: int) -> None:
        with self._lock:
            self.running += 1
        try:
            self.do_something(depth)
        finally:
            with self._lock:
                self.running -= 1

    def do_something(self, depth: int) -> None:
        choice = self.draw()
        if choice < 0.06:
            error = PlantedError(depth)
            self.raised.add(error)
            raise error
        if choice < 0.2:
            current_task().sleep(self.draw() * 0.004)
        elif choice < 0.3:
            for _ in range(100):
                check_cancelled()
        elif choice < 0.5 and depth and self.loops:
            asyncio.run(self.branch_async(depth))
        elif depth:
            self.branch(depth)

    def branch(self, depth: int) -> None:
        try:
            with self.deadline() as scope, self.pool.task_group() as group:
                for _ in range(1 + int(self.draw() * 4)):
                    self.submit(group, depth - 1)
                if self.draw() < 0.1:
                    group.cancel()
                if self.draw() < 0.05:
                    scope.cancel()
                if self.draw() < 0.3:
                    self.futures[-1].result()
        except DeadlineExceededError:
            check_cancelled()

    async def branch_async(self, depth: int) -> None:
        try:
            with self.deadline() as scope:
                async with self.pool.task_group() as group:
                    for _ in range(1 + int(self.draw() * 4)):
                        self.submit(group, depth - 1)
                    if self.draw() < 0.1:
                        group.cancel()
                    if self.draw() < 0.05:
                        scope.cancel()
                    await asyncio.sleep(self.draw() * 0.002)
        except DeadlineExceededError:
            check_cancelled()

    def deadline(self) -> CancelScope:
        seconds = None if self.draw() < 0.7 else self.draw() * 0.01
        return fail_after(seconds) if self.draw() < 0.5 else move_on_after(seconds)

    def check(self, error: BaseException | None) -> None:
        """After the root: all has ended, once, and `error` has only what tasks have raised."""
        assert self.running == 0
        assert not wait(self.futures, 0).not_done
        while self.ended.total() < len(self.futures):
            time.sleep(0)  # callbacks are called after whoever waits goes on
        assert self.ended == Counter({number: 1 for number in range(len(self.futures))})
        for each in self.futures:
            if not each.cancelled():
                assert is_planted(each.exception(), self.raised), each.exception()
        assert is_planted(error, self.raised), error


def is_planted(error: BaseException | None, planted: set[PlantedError]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(is_planted(each, planted) for each in error.exceptions)
    return error is None or error in planted


@pytest.mark.parametrize(("workers", "loops"), [(1, False), (3, False), (64, True)])
def test_threads(workers: int, loops: bool) -> None:
    with ThreadPool(workers) as pool:
        for seed in range(TREES):
            tree = Tree(pool, seed, loops=loops)
            error: BaseException | None = None
            try:
                with move_on_after(1.0), pool.task_group() as group:
                    for _ in range(4):
                        tree.submit(group, 3)
            except (ExceptionGroup, CancelledError) as caught:
                error = None if isinstance(caught, CancelledError) else caught
            tree.check(error)
            tree.raised.clear()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_coroutines(backend: str) -> None:
    async def run(pool: ThreadPool, tree: Tree) -> None:
        with move_on_after(1.0):
            async with pool.task_group() as group:
                for _ in range(4):
                    tree.submit(group, 3)
                await anyio.sleep(0.001)

    with ThreadPool(64) as pool:
        for seed in range(TREES):
            tree = Tree(pool, seed, loops=True)
            error: BaseException | None = None
            try:
                anyio.run(run, pool, tree, backend=backend)
            except (ExceptionGroup, CancelledError) as caught:
                error = None if isinstance(caught, CancelledError) else caught
            tree.check(error)
            tree.raised.clear()
