"""The pool's futures with concurrent.futures: wait and as_completed."""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
import weakref
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    Future,
    as_completed,
    wait,
)

import executor_tasks as tasks
import pytest
from gate import Gate, pass_and_die, pass_and_fail, pass_through
from polling import eventually

from mojo_seq import ProcessPool

TIMEOUT = 30.0


def cancelled_future() -> Future[object]:
    """Cancelled, and whoever waits was told."""
    future: Future[object] = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    return future


def finished_future(result: object = None, error: BaseException | None = None) -> Future[object]:
    future: Future[object] = Future()
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
    return future


def submit_all(pool: ProcessPool, gate: Gate, count: int) -> set[Future[object]]:
    return {pool.submit(pass_through, gate.path) for _ in range(count)}


# --- wait ---


def test_the_first_completed(pool: ProcessPool, gate: Gate) -> None:
    waiting: Future[object] = pool.submit(pass_through, gate.path)
    gate.next_begun()
    quick: Future[object] = pool.submit(tasks.capture, "quick")
    done, pending = wait({waiting, quick}, TIMEOUT, FIRST_COMPLETED)
    assert (done, pending) == ({quick}, {waiting})
    gate.open()


def test_one_that_was_complete_before(pool: ProcessPool, gate: Gate) -> None:
    waiting = pool.submit(pass_through, gate.path)
    others = {cancelled_future(), finished_future(42)}
    done, pending = wait([*others, waiting], TIMEOUT, FIRST_COMPLETED)
    assert (done, pending) == (others, {waiting})
    gate.open()


@pytest.mark.parametrize("end", [pass_and_fail, pass_and_die])
def test_the_first_exception(pool: ProcessPool, gate: Gate, end: object) -> None:
    quick = pool.submit(len, "abc")
    quick.result(TIMEOUT)
    if end is pass_and_fail:
        failing: Future[None] = pool.submit(pass_and_fail, gate.path, "why")
    else:
        failing = pool.submit(pass_and_die, gate.path)
    gate.next_begun()
    gate.open()
    never: Future[object] = Future()
    futures: set[Future[object]] = {quick, failing, never}  # type: ignore[arg-type]
    done, pending = wait(futures, TIMEOUT, FIRST_EXCEPTION)
    assert (done, pending) == ({quick, failing}, {never})


def test_an_exception_that_was_there_before(pool: ProcessPool, gate: Gate) -> None:
    waiting = pool.submit(pass_through, gate.path)
    failed = finished_future(error=OSError())
    assert wait([failed, waiting], TIMEOUT, FIRST_EXCEPTION) == ({failed}, {waiting})
    gate.open()


def test_all_completed_also_those_that_failed(pool: ProcessPool) -> None:
    futures: set[Future[object]] = {
        cancelled_future(),
        finished_future(1),
        finished_future(error=OSError()),
        pool.submit(tasks.divide, 2, 0),
        pool.submit(tasks.multiply, 2, 21),
        pool.submit(tasks.die_by_exit),
    }
    assert wait(futures, TIMEOUT, ALL_COMPLETED) == (futures, set())


def test_one_that_is_given_twice_is_waited_for_once(pool: ProcessPool) -> None:
    future = pool.submit(len, "abc")
    assert wait([future, future], TIMEOUT) == ({future}, set())


def test_a_timeout_of_wait(pool: ProcessPool, gate: Gate) -> None:
    waiting = pool.submit(pass_through, gate.path)
    finished = finished_future(1)
    assert wait([finished, waiting], 0.01) == ({finished}, {waiting})
    gate.open()


def test_a_cancelled_one_is_done_for_who_waits(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path)
        gate.next_begun()
        second = pool.submit(pass_through, gate.path)
        timer = threading.Timer(0.02, second.cancel)
        timer.start()
        done, _ = wait([first, second], TIMEOUT, FIRST_COMPLETED)
        timer.join()
        assert done == {second}
        gate.open()


def test_many_threads_wait_for_many(pool: ProcessPool, gate: Gate) -> None:
    futures = submit_all(pool, gate, 100)
    seen: list[int] = []

    def wait_for_all() -> None:
        done, _ = wait(futures, TIMEOUT)
        seen.append(len(done))

    threads = [threading.Thread(target=wait_for_all) for _ in range(5)]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join()
    assert seen == [100] * 5


# --- as_completed ---


def test_as_completed_gives_all(pool: ProcessPool) -> None:
    futures = {cancelled_future(), finished_future(1), finished_future(error=OSError())}
    futures |= {pool.submit(tasks.multiply, 2, number) for number in range(20)}
    assert set(as_completed(futures, TIMEOUT)) == futures


def test_as_completed_gives_them_as_they_come(pool: ProcessPool, gate: Gate) -> None:
    slow: Future[object] = pool.submit(pass_through, gate.path, "slow")
    gate.next_begun()
    quick: Future[object] = pool.submit(tasks.capture, "quick")
    order: list[Future[object]] = []
    for future in as_completed([slow, quick], TIMEOUT):
        order.append(future)
        gate.open()
    assert order == [quick, slow]


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_timeout_of_as_completed(pool: ProcessPool, gate: Gate, timeout: float) -> None:
    finished = {cancelled_future(), finished_future(1)}
    futures = finished | {pool.submit(pass_through, gate.path)}
    found = set()
    with pytest.raises(concurrent.futures.TimeoutError, match=r"1 \(of 3\) futures unfinished"):
        for future in as_completed(futures, timeout):
            found.add(future)
    assert found == finished
    gate.open()


def test_as_completed_gives_one_that_comes_twice_once(pool: ProcessPool) -> None:
    future = pool.submit(len, "abc")
    assert list(as_completed(itertools.repeat(future, 3), TIMEOUT)) == [future]


def test_as_completed_keeps_none_that_it_has_given(pool: ProcessPool) -> None:
    futures: list[Future[int]] = [pool.submit(len, "abc") for _ in range(5)]
    for future in as_completed(futures, TIMEOUT):
        futures.remove(future)
        gone = weakref.ref(future)
        del future
        eventually(lambda gone=gone: gone() is None)  # type: ignore[misc]


def test_futures_of_two_pools_and_of_threads_together(pool: ProcessPool) -> None:
    with ProcessPool(1) as other, concurrent.futures.ThreadPoolExecutor(1) as threads:
        executors = (pool, other, threads)
        futures = {executor.submit(len, "abc") for executor in executors}
        assert set(as_completed(futures, TIMEOUT)) == futures
        assert wait(futures, TIMEOUT) == (futures, set())
