"""What was cancelled never runs, all else runs once, whatever dies when."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from executor_tasks import append_line, note

from mojo_seq import ProcessPool, WorkerDiedError
from mojo_seq.pool.pool_future import PoolFuture

TIMEOUT = 60.0
TASKS = 3000


class Run:
    """Many tasks, each of which notes that it runs; and how often each future was resolved."""

    def __init__(
        self, pool: ProcessPool, path: Path, task: Callable[[str, str], None] = append_line
    ) -> None:
        self._path = path
        self._task = task
        path.touch()
        self.resolved = Counter[int]()
        self.futures: list[PoolFuture[None]] = []
        self._pool = pool

    def submit(self, number: int) -> None:
        future = self._pool.submit(self._task, str(self._path), str(number))
        future.add_done_callback(lambda _: self.resolved.update([number]))
        self.futures.append(future)

    def wait(self) -> None:
        for future in self.futures:
            if not future.cancelled():
                future.exception(TIMEOUT)

    def check(self) -> None:
        runs = Counter(map(int, self._path.read_text().split()))
        assert set(self.resolved) == set(range(len(self.futures)))
        assert set(self.resolved.values()) == {1}
        for number, future in enumerate(self.futures):
            if future.cancelled():
                assert runs[number] == 0
            elif isinstance(future.exception(), WorkerDiedError):
                assert runs[number] <= 1
            else:
                assert future.exception() is None
                assert runs[number] == 1


@pytest.fixture
def run(pool: ProcessPool, tmp_path: Path) -> Run:
    return Run(pool, tmp_path / "runs")


def test_cancelling_while_they_run(run: Run) -> None:
    rng = random.Random(1)

    def cancel() -> None:
        for _ in range(TASKS):
            if run.futures:
                run.futures[-rng.randrange(1, min(100, len(run.futures)) + 1)].cancel()

    threads = [threading.Thread(target=cancel) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(TASKS):
        run.submit(number)
    for thread in threads:
        thread.join()
    run.wait()
    run.check()


def test_workers_that_are_killed(run: Run, pool: ProcessPool) -> None:
    """A kill may come before the worker has begun anything, between tasks, or in one."""
    rng = random.Random(2)
    over = threading.Event()

    def kill() -> None:
        for _ in range(8):
            if over.wait(rng.random() * 0.2):
                return
            for worker in pool.__actor_workers__():
                if worker.pid is not None and worker.is_alive and rng.random() < 0.7:
                    assert worker.process is not None
                    worker.process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    for number in range(TASKS):
        run.submit(number)
    run.wait()
    over.set()
    killer.join()
    run.check()
    died = sum(isinstance(each.exception(), WorkerDiedError) for each in run.futures)
    assert died <= 16  # of each worker one


def test_batches_of_which_some_are_cancelled_and_workers_killed(
    pool: ProcessPool, tmp_path: Path
) -> None:
    """Both at any time, while hundreds of tasks are in each pipe and more in the queue."""
    rng = random.Random(3)
    run = Run(pool, tmp_path / "runs", note)
    deaths = 0
    for _ in range(4):
        since = len(run.futures)
        for number in range(since, since + TASKS):
            run.submit(number)
        for _ in range(TASKS // 10):
            run.futures[rng.randrange(since, len(run.futures))].cancel()
        for worker in pool.__actor_workers__():
            if worker.pid is not None and worker.is_alive:
                assert worker.process is not None
                worker.process.kill()
                deaths += 1
        run.futures[-1].cancel()
        run.wait()
    run.check()
    died = sum(
        not each.cancelled() and isinstance(each.exception(), WorkerDiedError)
        for each in run.futures
    )
    assert died <= deaths  # of each worker one


def test_stopping_a_worker_and_killing_it(run: Run, pool: ProcessPool) -> None:
    """What waits in the pipe of one that does not go on is done by another."""
    run.submit(0)
    run.wait()
    [pid] = [worker.pid for worker in pool.__actor_workers__() if worker.pid is not None]
    os.kill(pid, signal.SIGSTOP)
    for number in range(1, 200):
        run.submit(number)
    os.kill(pid, signal.SIGKILL)
    run.wait()
    run.check()
    assert all(each.exception() is None for each in run.futures)
