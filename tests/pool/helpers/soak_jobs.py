"""What the soak submits: tasks of all kinds, each with a look at whether its end is its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import soak_tasks as tasks
from soak_ledger import Job, Ledger
from soak_tasks import DEATHS, FOREVER, TokenError

from mojo_seq import DeadlineExceededError, ProcessPool, WorkerDiedError, give, shared_array

Maker = Callable[[ProcessPool, Ledger, random.Random], Job]

RETRIES = 3


def is_result(expected: object, value: object, error: BaseException | None) -> bool:
    return error is None and value == expected


def is_error(kind: type[BaseException], value: object, error: BaseException | None) -> bool:
    return isinstance(error, kind)


def compute(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    token = ledger.new_token()
    future = pool.submit(tasks.compute, ledger.log, token, rng.choice([0, 10, 1000, 100_000]))
    return ledger.enter(Job(token, "compute", future, partial(is_result, token)))


def fail(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    token = ledger.new_token()
    future = pool.submit(tasks.fail, ledger.log, token)

    def is_right(value: object, error: BaseException | None) -> bool:
        return isinstance(error, TokenError) and error.args == (token,)

    return ledger.enter(Job(token, "fail", future, is_right))


def die(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    token = ledger.new_token()
    how = rng.choice(list(DEATHS))
    future = pool.submit(tasks.die, ledger.log, token, how)

    def is_right(value: object, error: BaseException | None) -> bool:
        return (
            isinstance(error, WorkerDiedError)
            and error.exitcode == DEATHS[how]
            and str(token) in error.task
        )

    return ledger.enter(Job(token, "die", future, is_right))


def time_out(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    """Never ends by itself; the pool sees to it."""
    token = ledger.new_token()
    options = pool.with_options(timeout=rng.uniform(0.0, 0.1))
    future = options.submit(tasks.rest, ledger.log, token, FOREVER)
    is_right = partial(is_error, DeadlineExceededError)
    return ledger.enter(Job(token, "time out", future, is_right))


def end_in_time_or_not(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    """Nobody knows which; either way it is the one or the other."""
    token = ledger.new_token()
    future = pool.with_options(timeout=0.02).submit(tasks.rest, ledger.log, token, 0.02)

    def is_right(value: object, error: BaseException | None) -> bool:
        return isinstance(error, DeadlineExceededError) or is_result(token, value, error)

    return ledger.enter(Job(token, "end in time or not", future, is_right))


def retry(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    token = ledger.new_token()
    times = rng.randrange(RETRIES)
    future = pool.with_options(retries=RETRIES).submit(
        tasks.die_some_times, ledger.log, token, times
    )
    is_right = partial(is_result, token)
    return ledger.enter(Job(token, "retry", future, is_right, most_runs=RETRIES + 1))


def double(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    token = ledger.new_token()
    array = np.full(rng.choice([1, 1_000, 20_000, 200_000]), float(token))
    future = pool.submit(tasks.double, ledger.log, token, {"array": array})

    def is_right(value: Any, error: BaseException | None) -> bool:
        return error is None and np.array_equal(value["doubled"], array * 2)

    return ledger.enter(Job(token, "double", future, is_right))


def fill(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    """Shared memory."""
    token = ledger.new_token()
    array = shared_array(rng.choice([1_000, 200_000]))
    part = array[rng.randrange(500) :]
    future = pool.submit(tasks.fill, ledger.log, token, part)

    def is_right(value: object, error: BaseException | None) -> bool:
        return is_result(token, value, error) and bool((part == token).all())

    return ledger.enter(Job(token, "fill", future, is_right))


def pass_to_and_fro(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    """Shared memory that has one owner at a time."""
    token = ledger.new_token()
    array = shared_array(rng.choice([1_000, 200_000]))
    array[:] = token
    future = pool.submit(tasks.pass_back, ledger.log, token, give(array))

    def is_right(value: Any, error: BaseException | None) -> bool:
        return error is None and value.flags.writeable and bool((value == token + 1).all())

    return ledger.enter(Job(token, "pass to and fro", future, is_right))


# How often.
KINDS: dict[Maker, int] = {
    compute: 1000,
    double: 60,
    fill: 40,
    pass_to_and_fro: 40,
    fail: 40,
    end_in_time_or_not: 5,
    time_out: 2,
    die: 2,
    retry: 2,
}


def make_job(pool: ProcessPool, ledger: Ledger, rng: random.Random) -> Job:
    """One of any kind."""
    [maker] = rng.choices(list(KINDS), list(KINDS.values()))
    return maker(pool, ledger, rng)
