"""current_task and check_cancelled in tasks of groups on threads (public contract §12)."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from mojo_seq import (
    CancelledError,
    CancelScope,
    CurrentTask,
    InvalidArgumentError,
    ThreadPool,
    check_cancelled,
    current_task,
    move_on_after,
)
from mojo_seq.testing import TaskEnvironment

TIMEOUT = 30.0


def test_there_is_none_outside_of_tasks(pool: ThreadPool) -> None:
    with pytest.raises(RuntimeError, match="not in a task"):
        current_task()
    with pool.task_group(), pytest.raises(RuntimeError, match="not in a task"):
        current_task()
    with move_on_after(TIMEOUT), pytest.raises(RuntimeError, match="not in a task"):
        current_task()


def test_a_task_has_one(pool: ThreadPool) -> None:
    def look() -> tuple[bool, float | None, str]:
        task = current_task()
        assert isinstance(task, CurrentTask)
        task.check_cancelled()
        task.report(1, 2)  # nobody is interested
        return task.cancelled, task.deadline, repr(task)

    with pool.task_group() as group:
        future = group.submit(look)
    assert future.result() == (False, None, "<CurrentTask>")


def test_it_hears_of_the_end(pool: ThreadPool) -> None:
    begun, heard = threading.Event(), list[bool]()

    def poll() -> None:
        task = current_task()
        begun.set()
        while not task.cancelled:
            time.sleep(0)
        heard.append(task.cancelled)
        with pytest.raises(CancelledError):
            task.check_cancelled()
        with pytest.raises(CancelledError):
            check_cancelled()

    with pool.task_group() as group:
        future = group.submit(poll)
        assert begun.wait(TIMEOUT)
        group.cancel()
    assert future.result() is None and heard == [True]


def test_the_deadline_goes_with_the_task(pool: ThreadPool) -> None:
    def look() -> float | None:
        with move_on_after(TIMEOUT):
            near = current_task().deadline
        assert near is not None and near <= time.monotonic() + TIMEOUT
        return current_task().deadline

    with move_on_after(3600) as scope, pool.task_group() as group:
        future = group.submit(look)
    assert future.result() == scope.deadline


def test_scopes_inside_the_task_count_for_those_who_are_in_them(pool: ThreadPool) -> None:
    def look() -> list[bool]:
        task = current_task()
        with CancelScope() as scope:
            scope.cancel()
            seen = [task.cancelled, current_task().cancelled]
        return [*seen, task.cancelled]

    with pool.task_group() as group:
        future = group.submit(look)
    assert future.result() == [True, True, False]


def test_it_may_be_handed_to_another_thread(pool: ThreadPool) -> None:
    def work() -> list[bool]:
        task, seen = current_task(), list[bool]()
        with CancelScope() as scope:  # of this thread, not of the helper
            scope.cancel()
            helper = threading.Thread(target=lambda: seen.append(task.cancelled))
            helper.start()
            helper.join(TIMEOUT)
        return seen

    with pool.task_group() as group:
        future = group.submit(work)
    assert future.result() == [False]


def test_it_is_seen_in_the_tasks_own_event_loop_and_its_threads(pool: ThreadPool) -> None:
    async def look() -> list[bool]:
        return [current_task().cancelled, await asyncio.to_thread(lambda: current_task().cancelled)]

    with pool.task_group() as group:
        future = group.submit(asyncio.run, look())
    assert future.result() == [False, False]


def test_it_is_gone_when_the_task_is_over(pool: ThreadPool) -> None:
    gate = threading.Event()

    def look_later() -> None:
        gate.wait(TIMEOUT)
        current_task()

    with pool.task_group() as group:
        posted = group.submit(lambda: pool.submit(look_later))
    gate.set()
    with pytest.raises(RuntimeError, match="not in a task"):
        posted.result().result(TIMEOUT)


def test_the_tasks_of_a_task_are_others(pool: ThreadPool) -> None:
    def work() -> list[bool]:
        task = current_task()
        with pool.task_group() as group:
            group.submit(lambda: current_task().sleep(TIMEOUT))
            group.cancel()
            cancelled = current_task().cancelled
        return [cancelled, task.cancelled, current_task().cancelled]

    with pool.task_group() as group:
        future = group.submit(work)
    assert future.result() == [True, False, False]


def test_sleep_ends_with_the_time_or_the_task() -> None:
    with TaskEnvironment() as env:
        pool, times = ThreadPool(), list[float]()

        def sleep() -> None:
            current_task().sleep(5)
            times.append(env.now())
            current_task().sleep(-1)
            try:
                current_task().sleep(50)
            finally:
                times.append(env.now())

        with move_on_after(20) as scope, pool.task_group() as group:
            group.submit(sleep)
    assert times == [5.0, 20.0] and scope.cancelled_caught


def test_the_time_to_sleep_is_a_number(pool: ThreadPool) -> None:
    def sleep() -> None:
        with pytest.raises(InvalidArgumentError):
            current_task().sleep(float("nan"))

    with pool.task_group() as group:
        group.submit(sleep)
