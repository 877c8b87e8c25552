"""Shutting down in a TaskEnvironment. Public contract §8, §13."""

from __future__ import annotations

import gc

import pytest

from mojo_seq import (
    DeadlineExceededError,
    SequencedTaskRunner,
    ShutdownBehavior,
    ShutdownError,
    TaskPriority,
    TaskTraits,
    ThreadPool,
    WaitableEvent,
)
from mojo_seq.testing import TaskEnvironment

BLOCK = TaskTraits(shutdown=ShutdownBehavior.BLOCK_SHUTDOWN)
CONTINUE = TaskTraits(shutdown=ShutdownBehavior.CONTINUE_ON_SHUTDOWN)


def test_queued_tasks_end_as_their_traits_say(env: TaskEnvironment) -> None:
    ran: list[str] = []
    with ThreadPool() as pool:
        runners: dict[str, SequencedTaskRunner] = {
            "skip": pool.create_sequenced_task_runner(),
            "block": pool.create_sequenced_task_runner(traits=BLOCK),
            "continue": pool.create_sequenced_task_runner(traits=CONTINUE),
            "single": pool.create_single_thread_task_runner(),
        }
        futures = {name: runner.submit(ran.append, name) for name, runner in runners.items()}
        for name, runner in runners.items():
            runner.post_delayed_task(1, ran.append, name)
    assert ran == ["block"]
    assert [name for name, future in futures.items() if future.cancelled()] == [
        "skip",
        "continue",
        "single",
    ]
    assert pool.statistics()[:5] == (0, 0, 0, 0, 0)
    assert pool.statistics().tasks_run == 1
    assert pool.statistics().tasks_skipped == 7
    env.advance(2)
    assert ran == ["block"]


def test_nothing_can_be_posted_to_it(env: TaskEnvironment) -> None:
    pool, other = ThreadPool(), ThreadPool()
    runner = pool.create_sequenced_task_runner()
    pool.shutdown()
    pool.shutdown()
    for post in (runner.post_task, pool.post_task, runner.submit, pool.submit):
        with pytest.raises(ShutdownError):
            post(int)
    with pytest.raises(ShutdownError):
        runner.post_delayed_task(0, int)
    with pytest.raises(ShutdownError):
        pool.create_sequenced_task_runner()
    with pytest.raises(ShutdownError):
        pool.create_single_thread_task_runner()
    assert other.submit(int).result() == 0


def test_a_task_that_runs_is_waited_for(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    event = WaitableEvent()
    other = ThreadPool().create_sequenced_task_runner()
    running = pool.create_sequenced_task_runner(traits=BLOCK).submit(event.wait)
    other.post_delayed_task(5, event.signal)
    with pytest.raises(DeadlineExceededError):
        pool.shutdown(timeout=1)
    pool.shutdown()
    assert running.done()
    assert env.now() == 5.0


def test_it_cannot_be_shut_down_from_its_own_tasks(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    for runner in (pool.create_sequenced_task_runner(), pool.create_single_thread_task_runner()):
        with pytest.raises(RuntimeError, match="one of its own tasks"):
            runner.submit(pool.shutdown).result()


def test_leaving_shuts_down_what_is_open() -> None:
    ran: list[int] = []
    with TaskEnvironment():
        pool = ThreadPool()
        pool.create_sequenced_task_runner(traits=BLOCK).post_task(ran.append, 1)
        skipped = pool.create_sequenced_task_runner().submit(ran.append, 2)
    assert ran == [1]
    assert skipped.cancelled()
    assert "shut down" in repr(pool)


def test_a_pool_that_is_dropped_is_no_matter(env: TaskEnvironment) -> None:
    future = ThreadPool().submit(int)
    gc.collect()
    assert future.result() == 0


def test_with_one_worker_priorities_are_an_order(env: TaskEnvironment) -> None:
    pool = ThreadPool(1)
    order: list[TaskPriority] = []
    for priority in (
        TaskPriority.BEST_EFFORT,
        TaskPriority.USER_BLOCKING,
        TaskPriority.USER_VISIBLE,
    ):
        runner = pool.create_sequenced_task_runner(traits=TaskTraits(priority))
        runner.post_task(order.append, priority)
    env.run_until_idle()
    assert order == sorted(order, reverse=True)


def test_statistics_count_tasks(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    runner = pool.create_sequenced_task_runner()
    runner.post_task(int)
    runner.post_delayed_task(1, int)
    assert pool.statistics() == (0, 0, 1, 0, 1, 0, 0)
    assert runner.submit(lambda: pool.statistics()[3]).result() == 1
    env.advance(1)
    assert pool.statistics() == (0, 0, 0, 0, 0, 3, 0)
