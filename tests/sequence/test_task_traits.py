"""TaskTraits: priority, may_block, shutdown behaviour (public contract §8)."""

import threading

import pytest

from mojo_seq import ShutdownBehavior, TaskPriority, TaskTraits, ThreadPool

TIMEOUT = 30.0


def occupy(pool: ThreadPool) -> threading.Event:
    """Keeps the one worker of pool busy until the returned event is set."""
    started, gate = threading.Event(), threading.Event()

    def task() -> None:
        started.set()
        gate.wait(TIMEOUT)

    pool.post_task(task)
    assert started.wait(TIMEOUT)
    return gate


def test_the_defaults() -> None:
    # Public contract §8.
    traits = TaskTraits()
    assert traits.priority is TaskPriority.USER_VISIBLE
    assert traits.may_block is False
    assert traits.shutdown is ShutdownBehavior.SKIP_ON_SHUTDOWN


def test_traits_are_values() -> None:
    # Frozen, comparable, hashable: traits are shared freely.
    traits = TaskTraits(priority=TaskPriority.BEST_EFFORT, may_block=True)
    assert traits == TaskTraits(priority=TaskPriority.BEST_EFFORT, may_block=True)
    assert hash(traits) == hash(TaskTraits(TaskPriority.BEST_EFFORT, True))
    assert traits != TaskTraits()
    with pytest.raises(AttributeError):
        traits.may_block = False  # type: ignore[misc]


def test_the_behaviors_are_three() -> None:
    # Public contract §8.
    assert {behavior.name for behavior in ShutdownBehavior} == {
        "SKIP_ON_SHUTDOWN",
        "CONTINUE_ON_SHUTDOWN",
        "BLOCK_SHUTDOWN",
    }


def test_priorities_are_ordered() -> None:
    # Public contract §8.
    assert TaskPriority.BEST_EFFORT < TaskPriority.USER_VISIBLE < TaskPriority.USER_BLOCKING


def test_a_more_urgent_sequence_runs_first() -> None:
    # Public contract §8: priority= decides between sequences that wait for a worker.
    order: list[TaskPriority] = []
    with ThreadPool(max_workers=1) as pool:
        gate = occupy(pool)
        runners = [
            (priority, pool.create_sequenced_task_runner(traits=TaskTraits(priority=priority)))
            for priority in (
                TaskPriority.BEST_EFFORT,
                TaskPriority.USER_BLOCKING,
                TaskPriority.USER_VISIBLE,
            )
        ]
        futures = [runner.submit(order.append, priority) for priority, runner in runners]
        gate.set()
        for future in futures:
            future.result(TIMEOUT)
    assert order == sorted(order, reverse=True)


def test_equal_priorities_run_in_the_order_in_which_they_got_work() -> None:
    # Public contract §8: first come, first served.
    order: list[int] = []
    with ThreadPool(max_workers=1) as pool:
        gate = occupy(pool)
        futures = [
            pool.create_sequenced_task_runner().submit(order.append, number) for number in range(50)
        ]
        gate.set()
        for future in futures:
            future.result(TIMEOUT)
    assert order == list(range(50))


def test_priority_does_not_change_the_order_within_a_sequence() -> None:
    # Public contract §8: a sequence is in posting order, whatever its priority.
    order: list[int] = []
    with ThreadPool(max_workers=2) as pool:
        traits = TaskTraits(priority=TaskPriority.BEST_EFFORT)
        runner = pool.create_sequenced_task_runner(traits=traits)
        for number in range(500):
            runner.post_task(order.append, number)
        runner.submit(lambda: None).result(TIMEOUT)
    assert order == list(range(500))


def test_a_task_that_blocks_and_said_so_does_not_hold_up_the_others() -> None:
    # Public contract §8: may_block lets the pool work on while the task waits.
    with ThreadPool(max_workers=1) as pool:
        blocking = pool.create_sequenced_task_runner(traits=TaskTraits(may_block=True))
        gate, started = threading.Event(), threading.Event()

        def block() -> bool:
            started.set()
            return gate.wait(TIMEOUT)

        blocked = blocking.submit(block)
        assert started.wait(TIMEOUT)
        assert pool.create_sequenced_task_runner().submit(lambda: 1).result(TIMEOUT) == 1
        gate.set()
        assert blocked.result(TIMEOUT) is True


def test_a_blocking_sequence_is_still_a_sequence() -> None:
    # Public contract §8: order and exclusion do not depend on the traits.
    order: list[int] = []
    running = threading.Lock()

    def task(number: int) -> None:
        assert running.acquire(blocking=False)
        order.append(number)
        running.release()

    with ThreadPool(max_workers=2) as pool:
        runner = pool.create_sequenced_task_runner(traits=TaskTraits(may_block=True))
        futures = [runner.submit(task, number) for number in range(500)]
        for future in futures:
            future.result(TIMEOUT)
    assert order == list(range(500))


def test_wrong_types_are_type_errors() -> None:
    # Public contract §1.
    with ThreadPool(max_workers=1) as pool, pytest.raises(TypeError):
        pool.create_sequenced_task_runner(traits="urgent")  # type: ignore[arg-type]
