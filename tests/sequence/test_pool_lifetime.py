"""After a pool was shut down, and the ways to do it (public contract §8)."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from mojo_seq import (
    DeadlineExceededError,
    FailedPreconditionError,
    SequencedTaskRunner,
    ShutdownError,
    ThreadPool,
)

TIMEOUT = 30.0


def every_post(pool: ThreadPool, runner: SequencedTaskRunner) -> list[Callable[[], Any]]:
    return [
        lambda: runner.post_task(print),
        lambda: runner.submit(print),
        lambda: runner.post_delayed_task(0, print),
        lambda: pool.post_task(print),
        lambda: pool.submit(print),
        lambda: pool.create_sequenced_task_runner().post_task(print),
    ]


def test_posting_after_shutdown_raises() -> None:
    # Public contract §8: ShutdownError, whatever is posted.
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()
    for post in every_post(pool, runner):
        with pytest.raises(ShutdownError):
            post()


def test_the_error_is_two_builtin_families() -> None:
    # Public contract §8: ShutdownError(FailedPreconditionError, RuntimeError).
    assert issubclass(ShutdownError, FailedPreconditionError)
    assert issubclass(ShutdownError, RuntimeError)


def test_a_refused_task_lets_its_arguments_go() -> None:
    # Public contract §1: what was passed to a call that raised belongs to the caller.
    future: Future[int] = Future()
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()
    with pytest.raises(ShutdownError):
        runner.post_task(future.set_result, 1)
    assert not future.done()


def test_posting_during_shutdown_is_refused() -> None:
    # Public contract §8: the running task posts to its own sequence.
    pool = ThreadPool(max_workers=1)
    runner = pool.create_sequenced_task_runner()
    started, release = threading.Event(), threading.Event()
    ran: list[int] = []

    def task() -> None:
        started.set()
        release.wait(TIMEOUT)
        with pytest.raises(ShutdownError):
            runner.post_task(ran.append, 1)
        ran.append(0)

    runner.post_task(task)
    assert started.wait(TIMEOUT)
    with pytest.raises(DeadlineExceededError):
        pool.shutdown(timeout=0)
    release.set()
    pool.shutdown()
    assert ran == [0]


def test_shutdown_twice_is_harmless() -> None:
    # Public contract §8: as close().
    pool = ThreadPool(max_workers=1)
    pool.submit(lambda: None).result(TIMEOUT)
    pool.shutdown()
    pool.shutdown()
    pool.shutdown(timeout=0)


def test_a_pool_that_never_ran_anything_shuts_down() -> None:
    # Public contract §8.
    ThreadPool(max_workers=4).shutdown()


def test_a_worker_cannot_shut_its_own_pool_down() -> None:
    # Public contract §8: it would wait for itself; RuntimeError.
    with ThreadPool(max_workers=1) as pool:
        for post in (pool.submit, pool.create_sequenced_task_runner().submit):
            with pytest.raises(RuntimeError):
                post(pool.shutdown).result(TIMEOUT)
        assert pool.submit(lambda: 1).result(TIMEOUT) == 1


def test_no_thread_is_left() -> None:
    # Public contract §8: shutdown joins the workers.
    before = set(threading.enumerate())
    with ThreadPool(max_workers=8) as pool:
        together = threading.Barrier(8)
        futures = [pool.submit(together.wait, TIMEOUT) for _ in range(8)]
        assert len({future.result(TIMEOUT) for future in futures}) == 8
    assert set(threading.enumerate()) == before


def test_an_exception_in_the_block_shuts_down_as_well() -> None:
    # Public contract §8: leaving with ThreadPool(), however.
    pool = ThreadPool(max_workers=1)
    with pytest.raises(LookupError), pool:
        raise LookupError
    with pytest.raises(ShutdownError):
        pool.post_task(print)


def test_entering_a_pool_that_was_shut_down_is_of_no_use() -> None:
    # Public contract §8: the end is final.
    pool = ThreadPool(max_workers=1)
    pool.shutdown()
    with pytest.raises(ShutdownError), pool:
        pool.submit(print)
