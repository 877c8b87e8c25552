"""Random groups on worker processes, with failures, deaths, cancellations and deadlines: every
future ends once, and nothing is left. The soak does the same for longer, and more."""

from __future__ import annotations

import concurrent.futures
import random
import threading
import time
from collections import Counter
from contextlib import suppress

import group_tasks as tasks
import pytest

from mojo_seq import (
    CancelledError,
    ProcessPool,
    TaskFuture,
    TaskGroup,
    WorkerDiedError,
    move_on_after,
)

ROUNDS = 25
KINDS = ["quick"] * 4 + ["sleep"] * 4 + ["threads"] * 2 + ["deaf", "fail", "die"]
EXPECTED = {"fail": LookupError, "die": WorkerDiedError}


class Round:
    """A group, perhaps with another one in it, and what becomes of its futures."""

    def __init__(self, pool: ProcessPool, rng: random.Random) -> None:
        self._pool = pool
        self._rng = rng
        self._lock = threading.Lock()
        self._futures: dict[TaskFuture[str], str] = {}
        self._ended = Counter[concurrent.futures.Future[str]]()

    def _submit(self, group: TaskGroup) -> TaskFuture[str]:
        kind = self._rng.choice(KINDS)
        future = group.submit(tasks.misbehave, kind, self._rng.random() * 0.02)
        self._futures[future] = kind
        future.add_done_callback(self._count)
        return future

    def _count(self, future: concurrent.futures.Future[str]) -> None:
        with self._lock:
            self._ended[future] += 1

    def run(self, depth: int = 1) -> None:
        rng = self._rng
        seconds = rng.random() * 0.1 if rng.random() < 0.4 else None
        with (
            move_on_after(seconds) as scope,
            self._pool.task_group(grace=rng.choice([0, 0.01, 0.05])) as group,
        ):
            for _ in range(rng.randrange(8)):
                future = self._submit(group)
                chance = rng.random()
                if chance < 0.1:
                    future.cancel()
                elif chance < 0.2:
                    future.request_cancel()
                elif chance < 0.4:
                    future.result()
                if rng.random() < 0.1:
                    group.cancel()
                if rng.random() < 0.1:
                    scope.cancel()
            if depth and rng.random() < 0.5:
                self.run(depth - 1)

    def check(self) -> None:
        """After the block: all has ended, in one of the ways that are possible."""
        assert not concurrent.futures.wait(self._futures, 0).not_done
        while self._ended.total() < len(self._futures):
            time.sleep(0)  # callbacks are called after whoever waits goes on
        assert self._ended == Counter(dict.fromkeys(self._futures, 1))
        for future, kind in self._futures.items():
            if future.cancelled():
                continue
            error = future.exception()
            if error is None:
                assert future.result() == kind and kind not in EXPECTED
            else:
                assert type(error) is EXPECTED.get(kind), (kind, error)


@pytest.mark.parametrize("seed", range(3))
def test_every_future_ends_once(pool: ProcessPool, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        done = Round(pool, rng)
        try:
            done.run()
        except* (LookupError, WorkerDiedError):
            pass
        except* (CancelledError, concurrent.futures.CancelledError):
            raise AssertionError("a cancellation of a group's own came out of it") from None
        done.check()
    with suppress(WorkerDiedError):
        assert pool.submit(pow, 2, 3).result() == 8
