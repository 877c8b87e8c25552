"""Delayed tasks: cancelling, and the memory that it frees (public contract §8)."""

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mojo_seq import SequencedTaskRunner

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0


class Token:
    """Something a weak reference can be made to."""


def test_a_cancelled_task_does_not_run(runner: SequencedTaskRunner) -> None:
    # Public contract §8: .cancel() -> True.
    ran: list[str] = []
    posted, done = threading.Event(), threading.Event()
    runner.post_task(posted.wait, TIMEOUT)  # however long it takes to get to cancel()
    handle = runner.post_delayed_task(0.02, ran.append, "cancelled")
    runner.post_delayed_task(0.04, done.set)
    assert handle.cancel() is True
    posted.set()
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
