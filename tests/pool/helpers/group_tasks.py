"""What the tests of task groups run in worker processes."""

from __future__ import annotations

import os
import time
from typing import NoReturn

import anyio
import gate

from mojo_seq import (
    CancelledError,
    ProcessPool,
    TaskGroup,
    ThreadPool,
    check_cancelled,
    current_task,
    move_on_after,
)

TIMEOUT = 30.0


def cooperate() -> NoReturn:
    """Goes on until it is cancelled."""
    current_task().sleep(TIMEOUT)
    raise AssertionError("was not cancelled")


def announce(path: str, then: str) -> object:
    """Says that it has begun, see Gate; then does what is named."""
    gate.announce(path)
    return globals()[then]()


def deaf() -> NoReturn:
    """Does not listen."""
    time.sleep(TIMEOUT)
    raise AssertionError("was not killed")


def poll() -> NoReturn:
    """Looks at it by itself."""
    task = current_task()
    while not task.cancelled:
        time.sleep(0.001)
    check_cancelled()
    raise AssertionError("was not cancelled")


def poll_in_thread() -> None:
    """A group of threads in the worker."""
    with ThreadPool(2) as pool, pool.task_group() as group:
        group.submit(cooperate)
        group.submit(cooperate)


def poll_in_asyncio() -> None:
    """In the worker's own event loop."""
    anyio.run(_wait_in_loop, backend="asyncio")


def poll_in_trio() -> None:
    anyio.run(_wait_in_loop, backend="trio")


async def _wait_in_loop() -> None:
    with ThreadPool(2) as pool:
        async with pool.task_group() as group:
            group.submit(cooperate)
            await anyio.sleep(TIMEOUT)


def poll_in_process() -> None:
    """A worker that has a pool of its own."""
    with ProcessPool(1) as pool, pool.task_group() as group:
        group.submit(cooperate)


def finish_badly() -> None:
    try:
        cooperate()
    except CancelledError:
        raise OSError("cleaning up") from None


def fail(message: str) -> NoReturn:
    raise LookupError(message)


def deadlines() -> list[float | None]:
    """What the task knows of its deadline, and what a scope in it adds."""
    outside = current_task().deadline
    with move_on_after(3600):
        inside = current_task().deadline
    return [outside, inside]


def caught_inside() -> list[bool]:
    """Its own scope ends it, not the task."""
    with move_on_after(0.001) as scope:
        cooperate()
    return [scope.cancelled_caught, current_task().cancelled]


def die() -> NoReturn:
    os.kill(os.getpid(), 9)
    raise AssertionError("is dead")


def is_in_a_task() -> bool:
    try:
        current_task()
    except RuntimeError:
        return False
    return True


def submit_all(group: TaskGroup, count: int) -> list[object]:
    return [group.submit(pow, 2, number) for number in range(count)]


def misbehave(kind: str, seconds: float) -> str:
    """One of the things that tasks of a stress test do."""
    if kind == "fail":
        raise LookupError("planted")
    if kind == "die":
        die()
    if kind == "deaf":
        time.sleep(seconds * 10)
    elif kind == "sleep":
        current_task().sleep(seconds)
    elif kind == "threads":
        with ThreadPool(2) as pool, pool.task_group() as group:
            for _ in range(3):
                group.submit(misbehave, "sleep", seconds)
    return kind
