"""What the soak does with groups, deadlines and streams: blocks that leave nothing behind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager

import soak_tasks as tasks
from soak_ledger import Job, Ledger
from soak_tasks import FOREVER, TokenError

from mojo_seq import ProcessPool, TaskGroup, WorkerDiedError, move_on_after

Block = Callable[[ProcessPool, Ledger, random.Random], None]

GRACE = 0.05  # of tasks that do not listen


class GroupOfJobs:
    """A group of tasks. All of them have ended when its block has."""

    def __init__(self, group: TaskGroup, ledger: Ledger, rng: random.Random) -> None:
        self._group = group
        self._ledger = ledger
        self._rng = rng
        self.jobs: list[Job] = []

    def _start(self, kind: str, task: Callable[..., object], *args: object) -> None:
        token = self._ledger.new_token()
        try:
            future = self._group.submit(task, self._ledger.log, token, *args)
        except BaseException:  # the deadline has passed
            self._ledger.skip(token)
            raise

        def is_right(value: object, error: BaseException | None) -> bool:
            if isinstance(error, TokenError):
                return kind == "fail" and error.args == (token,)
            # The group may have taken it back, or killed it, at any time.
            return isinstance(error, CancelledError) or (error is None and value == token)

        self.jobs.append(self._ledger.enter(Job(token, f"group, {kind}", future, is_right)))

    def cancel(self) -> None:
        self._group.cancel()

    def start_quick(self) -> None:
        self._start("compute", tasks.compute, self._rng.choice([0, 1000, 100_000]))

    def start_failing(self) -> None:
        self._start("fail", tasks.fail)

    def start_cooperative(self) -> None:
        self._start("cooperate", tasks.cooperate)

    def start_stubborn(self) -> None:
        self._start("rest", tasks.rest, FOREVER)

    def start_endless(self) -> None:
        self._rng.choice([self.start_cooperative, self.start_stubborn])()


@contextmanager
def group_of_jobs(
    pool: ProcessPool, ledger: Ledger, rng: random.Random, name: str
) -> Iterator[GroupOfJobs]:
    """A block with a group; what it raises is only what belongs to its tasks."""
    jobs: list[Job] = []
    try:
        with pool.task_group(grace=GRACE) as group:
            made = GroupOfJobs(group, ledger, rng)
            jobs = made.jobs
            yield made
    except BaseExceptionGroup as errors:
        _, others = errors.split((TokenError, WorkerDiedError))
        if others is not None:
            ledger.defect(f"group, {name}: {others!r}")
    finally:
        for job in jobs:
            if not job.future.done():
                ledger.defect(f"group, {name}: {job.kind} {job.token} goes on: {job.future!r}")
            ledger.settle(job)


def all_well(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    with group_of_jobs(pool, ledger, rng, "all well") as group:
        for _ in range(rng.randrange(10)):
            group.start_quick()


def one_fails(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    with group_of_jobs(pool, ledger, rng, "one fails") as group:
        for _ in range(rng.randrange(4)):
            group.start_quick()
            group.start_endless()
        group.start_failing()


def cancelled(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    with group_of_jobs(pool, ledger, rng, "cancelled") as group:
        for _ in range(rng.randrange(4)):
            group.start_quick()
            group.start_endless()
        group.cancel()


def nested(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    with group_of_jobs(pool, ledger, rng, "outer") as outer:
        outer.start_endless()
        with group_of_jobs(pool, ledger, rng, "inner") as inner:
            inner.start_quick()
        outer.start_failing()


def deadline(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    scope = move_on_after(rng.uniform(0, 0.1))
    with scope, group_of_jobs(pool, ledger, rng, "deadline") as group:
        group.start_quick()
        group.start_endless()
    if not (scope.cancelled_caught or any(map(has_died, group.jobs))):
        ledger.defect(f"deadline: it has ended before, by nothing: {group.jobs}")


def has_died(job: Job) -> bool:
    future = job.future
    return not future.cancelled() and isinstance(future.exception(0), WorkerDiedError)


def stream(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    """All of it, or some."""
    token = ledger.new_token()
    count, most = rng.randrange(50), rng.randrange(60)
    found: list[int] = []
    try:
        with closing(pool.stream(tasks.items, ledger.log, token, count)) as items:
            for item in items:
                if len(found) == most:
                    break
                found.append(item)
        expected = min(count, most)
    except WorkerDiedError:
        expected = len(found)
    if found != [token + number for number in range(expected)]:
        ledger.defect(f"stream {token}: {len(found)} of {count}, {found[:3]}")
    ledger.skip(token)


def ordered(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    """map, or imap."""
    count, chunksize = rng.randrange(100), rng.randrange(1, 20)
    numbers = range(-count, 0)
    try:
        if rng.random() < 0.5:
            found = list(pool.map(abs, numbers, chunksize=chunksize))
        else:
            found = list(pool.imap(abs, numbers, chunksize=chunksize))
    except WorkerDiedError:
        return
    if found != list(range(count, 0, -1)):
        ledger.defect(f"map of {count}: {found[:3]}")


def unordered(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> None:
    count, most = rng.randrange(100), rng.randrange(1, 100)
    found = set[int]()
    try:
        with closing(pool.imap_unordered(abs, range(-count, 0))) as results:
            for result in results:
                found.add(result)
                if len(found) == most:
                    break
    except WorkerDiedError:
        return
    if len(found) != min(count, most) or not found <= set(range(1, count + 1)):
        ledger.defect(f"imap_unordered of {count}: {len(found)} found")


BLOCKS: list[Block] = [
    all_well,
    one_fails,
    cancelled,
    nested,
    deadline,
    stream,
    ordered,
    unordered,
]
