"""Delayed tasks: order, cancelling, memory (public contract §8)."""

import gc
import random
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner, ThreadPool

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0
EARLY = 0.005  # how much before its time a clock of coarser resolution may call a task


class Token:
    """Something a weak reference can be made to."""


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


def test_a_cancelled_task_does_not_run(runner: SequencedTaskRunner) -> None:
    # Public contract §8: .cancel() -> True.
    ran: list[str] = []
    done = threading.Event()
    handle = runner.post_delayed_task(0.02, ran.append, "cancelled")
    runner.post_delayed_task(0.04, done.set)
    assert handle.cancel() is True
    assert done.wait(TIMEOUT)
    assert ran == []


def test_cancelling_twice_returns_false(runner: SequencedTaskRunner) -> None:
    # Public contract §8: a second cancel() returns False.
    handle = runner.post_delayed_task(3600, lambda: None)
    assert [handle.cancel() for _ in range(3)] == [True, False, False]


def test_cancelling_after_the_run_returns_false(runner: SequencedTaskRunner) -> None:
    # Public contract §8: there was nothing left to cancel.
    done = threading.Event()
    handle = runner.post_delayed_task(0, done.set)
    assert done.wait(TIMEOUT)
    runner.submit(lambda: None).result(TIMEOUT)
    assert handle.cancel() is False


def test_cancelling_during_the_run_returns_false(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the task itself, too, comes too late.
    answers: list[bool] = []
    posted, done = threading.Event(), threading.Event()

    def task() -> None:
        posted.wait(TIMEOUT)
        answers.append(handle.cancel())
        done.set()

    handle = runner.post_delayed_task(0, task)
    posted.set()
    assert done.wait(TIMEOUT)
    assert answers == [False]


def test_a_due_task_can_be_cancelled_until_it_starts(
    runner: SequencedTaskRunner, hold: Hold
) -> None:
    # Public contract §8: the sequence is busy while the deadline passes.
    ran: list[int] = []
    gate = hold(runner)
    handle = runner.post_delayed_task(0, ran.append, 1)
    assert handle.cancel() is True
    gate.set()
    runner.submit(lambda: None).result(TIMEOUT)
    runner.submit(lambda: None).result(TIMEOUT)
    assert ran == []


def test_dropping_the_task_handle_does_not_cancel(runner: SequencedTaskRunner) -> None:
    # Public contract §8: a TaskHandle is for cancelling, not an owner.
    done = threading.Event()
    runner.post_delayed_task(0.01, done.set)
    gc.collect()
    assert done.wait(TIMEOUT)


def test_no_memory_is_kept_after_cancel(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the function and its arguments go, long before the deadline.
    tokens = [Token() for _ in range(100)]
    alive = [weakref.ref(token) for token in tokens]
    handles = [runner.post_delayed_task(3600, lambda token: None, token) for token in tokens]
    tokens.clear()
    for handle in handles:
        handle.cancel()
    # The sequence may have to pass by to let go of what was cancelled on another thread.
    runner.submit(lambda: None).result(TIMEOUT)
    gc.collect()
    assert [ref() for ref in alive] == [None] * 100


def test_no_memory_is_kept_after_the_run(runner: SequencedTaskRunner) -> None:
    # Public contract §8: also while the TaskHandle lives on.
    token = Token()
    alive = weakref.ref(token)
    done = threading.Event()
    handle = runner.post_delayed_task(0, lambda token: done.set(), token)
    del token
    assert done.wait(TIMEOUT)
    runner.submit(lambda: None).result(TIMEOUT)
    gc.collect()
    assert alive() is None
    assert handle.cancel() is False


def test_cancelling_races_with_running(runner: SequencedTaskRunner) -> None:
    # Public contract §8: cancel() says True exactly when the task does not run.
    for _ in range(200):
        ran = threading.Event()
        if runner.post_delayed_task(0, ran.set).cancel():
            runner.submit(lambda: None).result(TIMEOUT)
            assert not ran.is_set()
        else:
            assert ran.wait(TIMEOUT)


def test_only_one_of_many_cancels_wins(runner: SequencedTaskRunner) -> None:
    # Public contract §8: from any thread.
    with ThreadPoolExecutor(4) as executor:
        for _ in range(100):
            handle = runner.post_delayed_task(3600, lambda: None)
            answers = [executor.submit(handle.cancel) for _ in range(4)]
            assert sorted(answer.result(TIMEOUT) for answer in answers) == [False] * 3 + [True]


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


def test_a_task_can_cancel_another_that_is_due_with_it(runner: SequencedTaskRunner) -> None:
    # Public contract §8: being due, even queued, is not being started.
    answers: list[bool] = []
    ran: list[int] = []
    posted, done = threading.Event(), threading.Event()

    def first() -> None:
        assert posted.wait(TIMEOUT)
        answers.append(second.cancel())

    runner.post_delayed_task(0.01, first)
    second = runner.post_delayed_task(0.01, ran.append, 1)
    runner.post_delayed_task(0.01, done.set)
    posted.set()
    assert done.wait(TIMEOUT)
    assert answers == [True] and ran == []
