"""Task groups on worker processes (public contract §12). What holds for all groups is tested on
threads, in tests/sequence."""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable

import anyio
import group_tasks as tasks
import pytest
from gate import Gate

from mojo_seq import (
    CancelledError,
    CancelScope,
    DeadlineExceededError,
    ProcessPool,
    TaskFuture,
    TaskGroup,
    WorkerDiedError,
    move_on_after,
)

TIMEOUT = 30.0
Begin = Callable[[TaskGroup, str], tuple[TaskFuture[object], int]]
COOPERATIVE = [
    "cooperate",
    "poll",
    "poll_in_thread",
    "poll_in_asyncio",
    "poll_in_trio",
    "poll_in_process",
]


@pytest.fixture
def begin(gate: Gate) -> Begin:
    """Submits a task and waits until it has begun; returns the worker's process, too."""

    def submit(group: TaskGroup, name: str) -> tuple[TaskFuture[object], int]:
        return group.submit(tasks.announce, gate.path, name), gate.next_begun()

    return submit


def test_all_tasks_have_ended_with_the_block(pool: ProcessPool) -> None:
    with pool.task_group() as group:
        futures = [group.submit(pow, 2, number) for number in range(50)]
    assert [future.result() for future in futures] == [2**number for number in range(50)]
    assert isinstance(futures[0], TaskFuture)


def test_a_failure_cancels_the_siblings(pool: ProcessPool, begin: Begin) -> None:
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        running, pid = begin(group, "cooperate")
        group.submit(tasks.fail, "mine")
    assert [repr(error) for error in raised.value.exceptions] == ["LookupError('mine')"]
    assert running.cancelled()
    assert is_alive(pid)


@pytest.mark.parametrize("name", COOPERATIVE)
def test_tasks_hear_of_the_end_and_their_worker_lives_on(
    pool: ProcessPool, begin: Begin, name: str
) -> None:
    with pool.task_group(grace=TIMEOUT) as group:
        future, pid = begin(group, name)
        group.cancel()
    assert future.cancelled() and is_alive(pid)


@pytest.mark.parametrize("name", COOPERATIVE)
def test_they_see_the_deadline_by_themselves(pool: ProcessPool, begin: Begin, name: str) -> None:
    with move_on_after(0.5) as scope, pool.task_group(grace=TIMEOUT) as group:
        future = group.submit(getattr(tasks, name))
    assert scope.cancelled_caught and future.cancelled()


def test_one_that_does_not_listen_is_killed_after_the_grace_period(
    pool: ProcessPool, begin: Begin
) -> None:
    with pool.task_group(grace=0.05) as group:
        future, pid = begin(group, "deaf")
        group.cancel()
    assert future.cancelled() and not is_alive(pid)
    assert pool.submit(pow, 2, 3).result(TIMEOUT) == 8


def test_without_grace_it_is_killed_at_once(pool: ProcessPool, begin: Begin) -> None:
    with pytest.raises(ExceptionGroup), pool.task_group(grace=0) as group:
        future, pid = begin(group, "deaf")
        group.submit(tasks.fail, "so it ends")
    assert future.cancelled() and not is_alive(pid)


def test_what_has_not_begun_never_does(pool: ProcessPool, begin: Begin, gate: Gate) -> None:
    with pool.task_group(grace=0) as group:
        begin(group, "deaf")
        begin(group, "deaf")
        waiting = [group.submit(tasks.announce, gate.path, "deaf") for _ in range(20)]
        group.cancel()
        assert all(future.cancelled() for future in waiting)
    assert gate.none_has_begun()


def test_an_error_while_being_cancelled_is_an_error(pool: ProcessPool, begin: Begin) -> None:
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        begin(group, "finish_badly")
        group.cancel()
    assert [repr(error) for error in raised.value.exceptions] == ["OSError('cleaning up')"]


def test_a_worker_that_dies_is_a_failure(pool: ProcessPool, begin: Begin) -> None:
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        future, _ = begin(group, "cooperate")
        group.submit(tasks.die)
    (error,) = raised.value.exceptions
    assert isinstance(error, WorkerDiedError) and error.signal == 9
    assert future.cancelled()


def test_the_deadline_is_the_same_in_the_worker(pool: ProcessPool) -> None:
    with move_on_after(600) as scope, pool.task_group() as group:
        futures = [group.submit(tasks.deadlines), pool.submit(tasks.deadlines)]
        assert [future.result() for future in futures] == [[scope.deadline, scope.deadline]] * 2
    outside, inside = pool.submit(tasks.deadlines).result(TIMEOUT)
    assert outside is None and inside is not None and inside > time.monotonic() + 3000


def test_scopes_in_tasks_end_there(pool: ProcessPool) -> None:
    with pool.task_group() as group:
        future = group.submit(tasks.caught_inside)
    assert future.result() == [True, False]


def test_every_task_of_the_pool_is_one(pool: ProcessPool) -> None:
    assert pool.submit(tasks.is_in_a_task).result(TIMEOUT)
    assert not tasks.is_in_a_task()


def test_results_are_not_waited_for_beyond_the_scope(pool: ProcessPool, begin: Begin) -> None:
    with pool.task_group(grace=0) as group:
        future, _ = begin(group, "deaf")
        with move_on_after(0.01) as scope:
            future.result(TIMEOUT)
        assert scope.cancelled_caught
        with CancelScope() as scope:
            scope.cancel()
            with pytest.raises(CancelledError):
                future.exception()
            with pytest.raises(CancelledError):
                group.submit(pow, 2, 3)
        group.cancel()


def test_groups_of_two_pools_nest(pool: ProcessPool, begin: Begin) -> None:
    with (
        ProcessPool(1) as other,
        pytest.raises(ExceptionGroup) as raised,
        pool.task_group() as outer,
        other.task_group() as inner,
    ):
        deep, _ = begin(inner, "cooperate")
        outer.submit(tasks.fail, "outer")
        deep.result()
    assert len(raised.value.exceptions) == 1 and deep.cancelled()


def test_options_hold_for_the_tasks_of_a_group(pool: ProcessPool) -> None:
    with (
        pytest.raises(ExceptionGroup) as raised,
        pool.with_options(timeout=0.1).task_group() as group,
    ):
        group.submit(tasks.deaf)
    assert isinstance(raised.value.exceptions[0], DeadlineExceededError)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_in_coroutines(pool: ProcessPool, backend: str) -> None:
    async def main() -> None:
        async with pool.task_group() as group:
            assert await group.submit(pow, 2, 3) == 8
        with move_on_after(0.5) as scope:
            async with pool.task_group(grace=TIMEOUT) as group:
                future = group.submit(tasks.cooperate)
                await anyio.sleep_forever()
        assert scope.cancelled_caught and future.cancelled()
        with pytest.raises(ExceptionGroup) as raised:
            async with pool.task_group(grace=0) as group:
                future = group.submit(tasks.deaf)
                group.submit(tasks.fail, "mine")
                await future
        assert len(raised.value.exceptions) == 1 and future.cancelled()
        await anyio.sleep(0)

    anyio.run(main, backend=backend)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_kills_what_does_not_listen(pool: ProcessPool, begin: Begin) -> None:
    def interrupt(_: object) -> None:
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt), pool.task_group(grace=0.05) as group:
        deaf, pid = begin(group, "deaf")
        group.submit(abs, 1).add_done_callback(interrupt)
    assert deaf.cancelled() and not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
