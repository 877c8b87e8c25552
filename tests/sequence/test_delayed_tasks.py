"""Delayed tasks: order and deadlines (public contract §8)."""

import random
import threading
import time
from collections.abc import Callable

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner, ThreadPool

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0
EARLY = 0.005  # how much before its time a clock of coarser resolution may call a task


def test_order_is_by_deadline(runner: SequencedTaskRunner) -> None:
    # Public contract §8. A deadline lies between the clock before posting, plus the delay, and the
    # clock after posting, plus the delay; only tasks whose bounds do not overlap are compared.
    dice = random.Random(1)
    bounds: list[tuple[float, float]] = []
    order: list[int] = []
    all_ran = threading.Event()
    count = 40

    def task(number: int) -> None:
        order.append(number)
        if len(order) == count:
            all_ran.set()

    for number in range(count):
        delay = dice.choice([0.01, 0.05, 0.1, 0.2])
        before = time.monotonic()
        runner.post_delayed_task(delay, task, number)
        bounds.append((before + delay - EARLY, time.monotonic() + delay + EARLY))
    assert all_ran.wait(TIMEOUT)
    for position, later in enumerate(order):
        for earlier in order[:position]:
            assert not bounds[later][1] < bounds[earlier][0], "a later deadline ran first"


def test_equal_delays_keep_posting_order(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    order: list[int] = []
    done = threading.Event()
    for number in range(200):
        runner.post_delayed_task(0.05, order.append, number)
    runner.post_delayed_task(0.05, done.set)
    assert done.wait(TIMEOUT)
    assert order == list(range(200))


def test_zero_delays_keep_posting_order(runner: SequencedTaskRunner) -> None:
    # Public contract §8: a delay of nothing is still a place in the queue.
    order: list[int] = []
    done = threading.Event()
    for number in range(200):
        runner.post_delayed_task(0, order.append, number)
    runner.post_delayed_task(0, done.set)
    assert done.wait(TIMEOUT)
    assert order == list(range(200))


def test_a_delayed_task_never_runs_early(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the delay is a lower bound; how late it is, is not looked at.
    ran_at: list[float] = []
    done = threading.Event()

    def task() -> None:
        ran_at.append(time.monotonic())
        done.set()

    posted_at = time.monotonic()
    runner.post_delayed_task(0.05, task)
    assert done.wait(TIMEOUT)
    assert ran_at[0] >= posted_at + 0.05 - EARLY


def test_arguments_are_passed(runner: SequencedTaskRunner) -> None:
    # Public contract §8: post_delayed_task(delay, fn, *args).
    seen: list[tuple[object, ...]] = []
    done = threading.Event()

    def task(*args: object) -> None:
        seen.append(args)
        done.set()

    runner.post_delayed_task(0, task, 1, "two")
    assert done.wait(TIMEOUT)
    assert seen == [(1, "two")]


def test_undelayed_tasks_do_not_wait_for_delayed_ones(runner: SequencedTaskRunner) -> None:
    # Public contract §8: a delayed task is not in the queue before it is due.
    handle = runner.post_delayed_task(3600, lambda: None)
    assert runner.submit(lambda: 1).result(TIMEOUT) == 1
    assert handle.cancel() is True


def test_a_due_task_waits_for_the_running_one(runner: SequencedTaskRunner, hold: Hold) -> None:
    # Public contract §8: never concurrently, delayed tasks included.
    ran = threading.Event()
    gate = hold(runner)
    runner.post_delayed_task(0.01, ran.set)
    assert not ran.wait(0.1)
    gate.set()
    assert ran.wait(TIMEOUT)


def test_delayed_tasks_of_many_sequences(pool: ThreadPool) -> None:
    # Public contract §8: each is run once, on its own sequence.
    runners = [pool.create_sequenced_task_runner() for _ in range(200)]
    left = threading.Semaphore(0)
    wrong: list[int] = []

    def task(number: int) -> None:
        if not runners[number].runs_tasks_in_current_sequence():
            wrong.append(number)
        left.release()

    for number, runner in enumerate(runners):
        for delay in (0.0, 0.01, 0.02):
            runner.post_delayed_task(delay, task, number)
    for _ in range(600):
        assert left.acquire(timeout=TIMEOUT)
    assert wrong == []


def test_a_task_can_repeat_itself(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the ordinary way to make a timer.
    count = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal count
        count += 1
        if count == 5:
            done.set()
        else:
            runner.post_delayed_task(0.001, tick)

    runner.post_delayed_task(0.001, tick)
    assert done.wait(TIMEOUT)


@pytest.mark.parametrize("delay", [1e9, 1e12])
def test_a_far_deadline_is_legal(runner: SequencedTaskRunner, delay: float) -> None:
    # Public contract: times are seconds (float), however many.
    handle = runner.post_delayed_task(delay, lambda: None)
    assert runner.submit(lambda: 1).result(TIMEOUT) == 1
    assert handle.cancel() is True


def test_a_delay_must_be_a_number(runner: SequencedTaskRunner) -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        runner.post_delayed_task("soon", print)  # type: ignore[arg-type]


def test_a_loop_waits_for_the_earliest_of_its_delayed_tasks() -> None:
    # Public contract §8: an earlier deadline posted later moves the wake-up forward.
    loop = RunLoop()
    late = loop.task_runner.post_delayed_task(3600, loop.quit)
    loop.task_runner.post_delayed_task(0.01, loop.quit)
    loop.run()
    assert late.cancel() is True
