"""A soak: everything that a pool can do, and all that can happen to it, at random and at once.

Several threads submit tasks of all kinds, cancel some, open groups and streams; tasks segfault,
abort, exit and are killed; workers are killed from outside. At the end every future was resolved
once, with the outcome that belongs to it, no task ran that was not to, and nothing is left.

MOJO_SEQ_SOAK_SECONDS sets how long it takes, MOJO_SEQ_SOAK_SEED repeats a choice (not a schedule).
"""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from polling import eventually
from pool_services import await_end
from soak_groups import BLOCKS
from soak_jobs import make_job
from soak_ledger import Job, Ledger

from mojo_seq import ProcessPool, memory_statistics

SECONDS = float(os.environ.get("MOJO_SEQ_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("MOJO_SEQ_SOAK_SEED", random.randrange(2**32)))

WORKERS = 4
SUBMITTERS = 4
WINDOW = 24  # tasks that a submitter has under way at a time
KEPT = 2  # results that a submitter keeps for a while: their memory is in use
BETWEEN_KILLS = 0.4  # seconds, on average
PARTS = 8  # of the time, whose memory is compared
MORE_MEMORY = 1.25, 64 << 20  # what may have come to it: noise of the allocator


class Submitter(threading.Thread):
    """Submits, cancels and settles, until it is told to stop."""

    def __init__(self, number: int, pool: ProcessPool, ledger: Ledger) -> None:
        super().__init__(name=f"submitter {number}")
        self._rng = random.Random(f"{SEED} {number}")
        self._pool = pool
        self._ledger = ledger
        self._stop_soon = threading.Event()

    def stop(self) -> None:
        self._stop_soon.set()

    def run(self) -> None:
        under_way = deque[Job]()
        kept = deque[Any](maxlen=KEPT)
        rng = self._rng
        try:
            while not (self._stop_soon.is_set() or self._ledger.defects):
                if rng.random() < 0.01:
                    rng.choice(BLOCKS)(self._pool, self._ledger, rng)
                under_way.append(make_job(self._pool, self._ledger, rng))
                if rng.random() < 0.1:
                    self._ledger.cancel(rng.choice(under_way))
                if len(under_way) > WINDOW:
                    kept.append(self._settle(under_way.popleft()))
            while under_way:
                self._settle(under_way.popleft())
        except BaseException as error:
            self._ledger.defect(f"{self.name}: {error!r}")
            raise

    def _settle(self, job: Job) -> object:
        self._ledger.settle(job)
        return None if job.future.cancelled() else (job.future.exception(0) or job.future.result(0))


class Killer(threading.Thread):
    """Kills workers now and then.

    Attributes:
        kills: how many.
        pids: all workers that were seen.
    """

    def __init__(self, pools: list[ProcessPool]) -> None:
        super().__init__(name="killer")
        self.kills = 0
        self.pids = set[int]()
        self._rng = random.Random(f"{SEED} killer")
        self._pools = pools
        self._stop_soon = threading.Event()

    def stop(self) -> None:
        self._stop_soon.set()

    def run(self) -> None:
        while not self._stop_soon.wait(self._rng.expovariate(1 / BETWEEN_KILLS)):
            workers = [each for pool in self._pools for each in pool.__actor_workers__()]
            alive = [worker.pid for worker in workers if worker.pid is not None]
            self.pids.update(alive)
            if alive:
                with suppress(ProcessLookupError):
                    os.kill(self._rng.choice(alive), signal.SIGKILL)
                    self.kills += 1


def is_child(pid: int) -> bool:
    """Whether it is a process of this one: in half an hour the system gives numbers again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(stat.rpartition(")")[2].split()[1]) == os.getpid()


@contextmanager
def running(*threads: Submitter | Killer) -> Iterator[None]:
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join()


def memory_in_pieces() -> int:
    """How many pieces of shared memory are in use here, or elsewhere by what came from here."""
    statistics = memory_statistics()
    return statistics.in_use_count + statistics.lent_count


def memory_in_use() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watch_memory(ledger: Ledger) -> list[int]:
    """Waits until the time is over; the most memory that was used in each part of it."""
    begin = time.monotonic()
    most = [0] * PARTS
    while (elapsed := time.monotonic() - begin) < SECONDS and not ledger.defects:
        part = int(elapsed / SECONDS * PARTS)
        most[part] = max(most[part], memory_in_use())
        time.sleep(0.05)
    return most


@pytest.mark.timeout(SECONDS + 240)
def test_soak(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    print(f"MOJO_SEQ_SOAK_SEED={SEED}")
    ledger = Ledger(tmp_path)
    with ProcessPool(WORKERS) as first, ProcessPool(2, max_tasks_per_child=100) as second:
        pools = [first, second]
        killer = Killer(pools)
        submitters = [Submitter(each, pools[each % 2], ledger) for each in range(SUBMITTERS)]
        # The killer is the last to end: groups may have more endless tasks than there are workers.
        with running(killer), running(*submitters):
            most = watch_memory(ledger)
    await_end([pid for pid in killer.pids if is_child(pid)])
    gc.collect()
    eventually(lambda: memory_in_pieces() == 0)
    ledger.check_runs()
    print(f"{len(ledger)} tasks, {killer.kills} kills, {len(killer.pids)} workers seen")
    print(*(f"{count:8} {what}" for what, count in sorted(ledger.outcomes.items())), sep="\n")
    print(len(caplog.records), "log records", *{each.getMessage() for each in caplog.records[:20]})
    print("MiB:", *(each >> 20 for each in most))
    assert ledger.defects == []
    assert ledger.collateral <= killer.kills
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
    factor, more = MORE_MEMORY
    assert most[-1] <= most[2] * factor + more, "memory grows"
