"""Shutting a pool down: what is run, what is skipped, who waits (public contract §8)."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait

import pytest

from mojo_seq import (
    DeadlineExceededError,
    ShutdownBehavior,
    TaskTraits,
    ThreadPool,
)

TIMEOUT = 30.0
SKIP = TaskTraits(shutdown=ShutdownBehavior.SKIP_ON_SHUTDOWN)
CONTINUE = TaskTraits(shutdown=ShutdownBehavior.CONTINUE_ON_SHUTDOWN)
BLOCK = TaskTraits(shutdown=ShutdownBehavior.BLOCK_SHUTDOWN)


class Busy:
    """A pool whose one worker is in the middle of a task until release is set."""

    def __init__(self, traits: TaskTraits = SKIP) -> None:
        self.pool = ThreadPool(max_workers=1)
        self.release = threading.Event()
        self.finished = threading.Event()
        self.worker: threading.Thread
        started = threading.Event()

        def task() -> None:
            self.worker = threading.current_thread()
            started.set()
            self.release.wait(TIMEOUT)
            self.finished.set()

        self.runner = self.pool.create_sequenced_task_runner(traits=traits)
        self.runner.post_task(task)
        assert started.wait(TIMEOUT)

    def begin_shutdown(self) -> None:
        """Shuts down as far as it goes while the task runs."""
        with pytest.raises(DeadlineExceededError):
            self.pool.shutdown(timeout=0)


def test_leaving_the_block_lets_the_running_task_finish() -> None:
    # Public contract §8: running tasks finish.
    finished: list[bool] = []
    with ThreadPool(max_workers=1) as pool:
        started, release = threading.Event(), threading.Event()

        def task() -> None:
            started.set()
            release.wait(TIMEOUT)
            finished.append(True)

        pool.create_sequenced_task_runner().post_task(task)
        assert started.wait(TIMEOUT)
        release.set()
    assert finished == [True]


def test_queued_tasks_are_skipped_by_default() -> None:
    # Public contract §8: SKIP_ON_SHUTDOWN.
    busy = Busy()
    ran: list[int] = []
    busy.pool.create_sequenced_task_runner().post_task(ran.append, 1)
    busy.begin_shutdown()
    busy.release.set()
    busy.pool.shutdown()
    assert ran == [] and busy.finished.is_set()


def test_tasks_queued_behind_the_running_one_are_skipped_too() -> None:
    # Public contract §8: the same sequence goes on only with what it must.
    busy = Busy()
    ran: list[int] = []
    busy.runner.post_task(ran.append, 1)
    busy.begin_shutdown()
    busy.release.set()
    busy.pool.shutdown()
    assert ran == [] and busy.finished.is_set()


def test_blocking_tasks_are_run_before_shutdown_returns() -> None:
    # Public contract §8: BLOCK_SHUTDOWN, all of them and in order.
    busy = Busy()
    ran: list[int] = []
    runner = busy.pool.create_sequenced_task_runner(traits=BLOCK)
    for number in range(100):
        runner.post_task(ran.append, number)
    busy.begin_shutdown()
    busy.release.set()
    busy.pool.shutdown()
    assert ran == list(range(100))


def test_blocking_submits_get_their_results() -> None:
    # Public contract §8.
    busy = Busy()
    future = busy.pool.create_sequenced_task_runner(traits=BLOCK).submit(lambda: "done")
    busy.begin_shutdown()
    busy.release.set()
    busy.pool.shutdown()
    assert future.result(timeout=0) == "done"


def test_a_running_continuing_task_is_not_waited_for() -> None:
    # Public contract §8: CONTINUE_ON_SHUTDOWN goes on after shutdown has returned.
    busy = Busy(CONTINUE)
    busy.pool.shutdown()
    assert not busy.finished.is_set()
    busy.release.set()
    assert busy.finished.wait(TIMEOUT)
    busy.worker.join(TIMEOUT)


def test_queued_continuing_tasks_are_skipped() -> None:
    # Public contract §8: only what has begun continues.
    busy = Busy()
    future = busy.pool.create_sequenced_task_runner(traits=CONTINUE).submit(lambda: 1)
    busy.begin_shutdown()
    busy.release.set()
    busy.pool.shutdown()
    assert future.cancelled()


def test_tasks_behind_a_running_continuing_task_are_skipped_at_once() -> None:
    # Public contract §8: their futures are cancelled when shutdown returns; they may not depend on
    # a task that may never end.
    busy = Busy(CONTINUE)
    queued = busy.runner.submit(lambda: 1)
    busy.pool.shutdown()
    assert queued.cancelled() and not busy.finished.is_set()
    busy.release.set()
    busy.worker.join(TIMEOUT)
    assert busy.finished.is_set()


def test_futures_of_skipped_tasks_are_cancelled() -> None:
    # Public contract §8: waiters are woken, result() raises CancelledError.
    busy = Busy()
    runner = busy.pool.create_sequenced_task_runner()
    futures = [runner.submit(lambda: 1), busy.pool.submit(lambda: 2)]
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(wait, futures, TIMEOUT)
        busy.begin_shutdown()
        busy.release.set()
        busy.pool.shutdown()
        assert waiting.result(TIMEOUT).not_done == set()
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(timeout=0)


def test_done_callbacks_of_skipped_tasks_run() -> None:
    # concurrent.futures: cancelled is done.
    busy = Busy()
    told: list[bool] = []
    future = busy.pool.create_sequenced_task_runner().submit(lambda: 1)
    future.add_done_callback(lambda finished: told.append(finished.cancelled()))
    busy.begin_shutdown()
    busy.release.set()
    busy.pool.shutdown()
    assert told == [True]


@pytest.mark.parametrize("traits", [SKIP, CONTINUE, BLOCK])
def test_delayed_tasks_not_yet_due_are_skipped(traits: TaskTraits) -> None:
    # Public contract §8: whatever their behaviour; shutdown does not wait for a deadline.
    ran: list[int] = []
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner(traits=traits)
        handle = runner.post_delayed_task(3600, ran.append, 1)
        runner.submit(lambda: None).result(TIMEOUT)
    assert ran == []
    assert handle.cancel() is False


def test_shutdown_from_two_threads_waits_in_both() -> None:
    # Public contract §8: shutdown returns when the pool is at rest, whoever called first.
    busy = Busy()
    with ThreadPoolExecutor(2) as executor:
        shutdowns = [executor.submit(busy.pool.shutdown) for _ in range(2)]
        assert wait(shutdowns, timeout=0.1).done == set()
        busy.release.set()
        for shutdown in shutdowns:
            shutdown.result(TIMEOUT)
    assert busy.finished.is_set()


def test_a_timeout_raises_and_can_be_repeated() -> None:
    # Public contract §8: DeadlineExceededError when the tasks do not finish in time.
    busy = Busy()
    for timeout in (0, 0.01):
        with pytest.raises(DeadlineExceededError):
            busy.pool.shutdown(timeout=timeout)
    busy.release.set()
    busy.pool.shutdown(timeout=TIMEOUT)
    assert busy.finished.is_set()
