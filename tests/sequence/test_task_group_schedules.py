"""Task groups in test environments: on mock time, and in every order (public contract §12, §13)."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest

from mojo_seq import (
    Actor,
    ActorSystem,
    CancelledError,
    DeadlineExceededError,
    TaskFuture,
    ThreadPool,
    WaitableEvent,
    check_cancelled,
    current_task,
    fail_after,
    move_on_after,
)
from mojo_seq.testing import DeadlockError, TaskEnvironment, explore

SEEDS = range(60)


def sleep(seconds: float) -> float:
    current_task().sleep(seconds)
    return seconds


def fail() -> None:
    raise LookupError("planted")


def test_the_end_of_a_block_takes_mock_time() -> None:
    with TaskEnvironment() as env:
        pool = ThreadPool()
        with pool.task_group() as group:
            futures = [group.submit(sleep, seconds) for seconds in (5, 1, 3600)]
        assert env.now() == 3600
        assert [future.result() for future in futures] == [5, 1, 3600]


def test_results_are_waited_for_on_mock_time() -> None:
    with TaskEnvironment() as env:
        pool = ThreadPool()
        with pool.task_group() as group:
            assert group.submit(sleep, 10).result(60) == 10
            assert env.now() == 10


def test_concurrent_futures_waits_run_the_environment() -> None:
    with TaskEnvironment() as env:
        pool = ThreadPool()
        with pool.task_group() as group:
            futures = [group.submit(sleep, seconds) for seconds in (3, 1, 2)]
            order = [future.result() for future in concurrent.futures.as_completed(futures)]
            assert order == [1, 2, 3] and env.now() == 3
            queued = group.submit(sleep, 1)
            queued.cancel()
            done, _ = concurrent.futures.wait([queued])
            assert done == {queued}


def test_a_deadline_cuts_the_block_short() -> None:
    def test(env: TaskEnvironment) -> None:
        pool = ThreadPool()
        with pytest.raises(DeadlineExceededError), fail_after(7), pool.task_group() as group:
            futures = [group.submit(sleep, seconds) for seconds in (5, 9, 11)]
        assert env.now() == 7
        # The first may be below the others on the stack, and go on after them.
        assert [future.cancelled() for future in futures[1:]] == [True, True]
        assert futures[0].cancelled() or futures[0].result() == 5

    explore(test, SEEDS)


def test_the_nearest_deadline_is_kept_everywhere() -> None:
    def test(env: TaskEnvironment) -> None:
        pool = ThreadPool()
        inner = list[TaskFuture[float]]()

        def nested() -> None:
            with move_on_after(50), pool.task_group() as group:
                inner.append(group.submit(sleep, 100))

        with move_on_after(20) as scope, pool.task_group() as group:
            group.submit(nested)
        assert env.now() == 20 and scope.cancelled_caught
        assert all(future.cancelled() for future in inner)

    explore(test, SEEDS)


def test_a_failure_cancels_the_siblings_in_every_order() -> None:
    def test(env: TaskEnvironment) -> None:
        pool = ThreadPool()
        futures = list[TaskFuture[Any]]()
        with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
            for task in (fail, lambda: sleep(10), lambda: sleep(0.5), fail):
                try:
                    futures.append(group.submit(task))
                except CancelledError:
                    break
        assert 1 <= len(raised.value.exceptions) <= 2
        assert all(future.done() for future in futures)
        assert env.now() <= 0.5

    explore(test, SEEDS)


def test_groups_of_groups_need_no_more_threads_than_there_are() -> None:
    def test(env: TaskEnvironment) -> None:
        pool = ThreadPool(2)
        leaves = list[int]()

        def branch(depth: int) -> None:
            if depth == 0:
                leaves.append(depth)
                return
            with pool.task_group() as group:
                futures = [group.submit(branch, depth - 1) for _ in range(2)]
                if depth % 2:
                    for future in futures:
                        future.result()

        with pool.task_group() as group:
            group.submit(branch, 4)
        assert len(leaves) == 16

    explore(test, SEEDS)


def test_cancelling_from_any_task_ends_everything_below() -> None:
    def test(env: TaskEnvironment) -> None:
        pool = ThreadPool()
        ended = list[str]()

        def deep(depth: int) -> None:
            try:
                with pool.task_group() as group:
                    if depth:
                        group.submit(deep, depth - 1)
                    group.submit(sleep, 1000)
            finally:
                ended.append("deep")

        with pool.task_group() as group:
            deepest = group.submit(deep, 3)
            pool.create_sequenced_task_runner().post_delayed_task(1, group.cancel)
        assert env.now() == 1 and deepest.cancelled() and len(ended) == 4

    explore(test, SEEDS)


def test_what_can_never_end_is_reported() -> None:
    with TaskEnvironment():
        pool = ThreadPool()
        with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
            group.submit(WaitableEvent().wait)
        assert isinstance(raised.value.exceptions[0], DeadlockError)
        pool.shutdown()


class Conductor(Actor):
    async def play(self, pool: ThreadPool) -> list[float]:
        with move_on_after(5) as scope:
            async with pool.task_group() as group:
                first = group.submit(abs, -1)
                second = group.submit(sleep, 9)
                assert await first == 1
                await second
        assert scope.cancelled_caught and second.cancelled()
        check_cancelled()
        return [first.result()]


def test_async_groups_in_actors() -> None:
    def test(env: TaskEnvironment) -> None:
        pool = ThreadPool()
        with ActorSystem() as system:
            assert system.spawn(Conductor).play(pool).result() == [1]
        assert env.now() == 5

    explore(test, SEEDS)
