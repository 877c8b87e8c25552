"""What type checkers know of groups, scopes and tasks. `assert_type` does nothing when it is run;
an ignored error that mypy does not find is one."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, assert_type

from mojo_seq import (
    Actor,
    ActorPool,
    CancelScope,
    CurrentTask,
    TaskFuture,
    TaskGroup,
    ThreadPool,
    current_task,
    fail_after,
    move_on_after,
)
from mojo_seq.actor.actor_task_group import ActorTaskGroup

TIMEOUT = 30.0


def half(number: int, *, exact: bool) -> float:
    return number / 2 if exact else number // 2


class Halver(Actor):
    def half(self, number: int, *, exact: bool) -> float:
        return half(number, exact=exact)

    async def double(self, number: int) -> int:
        return 2 * number


def test_types_of_groups(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        assert_type(group, TaskGroup)
        future = group.submit(half, 3, exact=True)
        assert_type(future, TaskFuture[float])
        as_future: Future[float] = future
        assert_type(as_future.result(), float)
        if TYPE_CHECKING:
            group.submit(half, "3", exact=True)  # type: ignore[arg-type]
            group.submit(half, 3)  # type: ignore[call-arg]
    assert future.result() == 1.5


def test_types_of_awaited_tasks(pool: ThreadPool) -> None:
    async def main() -> float:
        async with pool.task_group() as group:
            assert_type(group, TaskGroup)
            found = await group.submit(half, 3, exact=True)
            assert_type(found, float)
        return found

    assert asyncio.run(main()) == 1.5


def test_types_of_scopes() -> None:
    with move_on_after(TIMEOUT) as scope:
        assert_type(scope, CancelScope)
    with fail_after(TIMEOUT) as scope:
        assert_type(scope, CancelScope)
    assert_type(scope.deadline, float | None)
    assert_type(scope.cancelled_caught, bool)


def test_types_of_tasks(pool: ThreadPool) -> None:
    def look() -> bool:
        task = current_task()
        assert_type(task, CurrentTask)
        assert_type(task.deadline, float | None)
        return task.cancelled

    with pool.task_group() as group:
        assert group.submit(look).result() is False


def test_types_of_pools_of_actors() -> None:
    with ActorPool(Halver, size=1) as pool:
        assert_type(pool, ActorPool[Halver])
        assert_type(pool.submit(Halver.half, 3, exact=True), TaskFuture[float])
        assert_type(pool.submit(Halver.double, 3), TaskFuture[int])
        with pool.task_group() as group:
            assert_type(group, ActorTaskGroup[Halver])
            assert_type(group.submit(Halver.half, 3, exact=True), TaskFuture[float])
            assert_type(group.submit(Halver.double, 3), TaskFuture[int])
            if TYPE_CHECKING:
                group.submit(Halver.half, "3", exact=True)  # type: ignore[arg-type]
                pool.submit(Halver.half, 3)  # type: ignore[call-overload]
