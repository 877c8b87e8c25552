"""The pool as an executor: shutdown, its arguments, the context manager, dropping the pool."""

from __future__ import annotations

import gc
import os
import threading
import time
from concurrent.futures import CancelledError, Future, wait

import executor_tasks as tasks
import pytest
from gate import Gate, pass_and_die, pass_through
from polling import eventually
from pool_services import await_end

from mojo_seq import ProcessPool, ShutdownError, WorkerDiedError

TIMEOUT = 30.0


def pids_of(pool: ProcessPool) -> list[int]:
    return [worker.pid for worker in pool.__actor_workers__() if worker.pid is not None]


def test_submitting_after_it_is_an_error(pool: ProcessPool) -> None:
    pool.shutdown()
    with pytest.raises(RuntimeError) as caught:
        pool.submit(pow, 2, 5)
    assert isinstance(caught.value, ShutdownError)
    with pytest.raises(RuntimeError):
        pool.map(abs, [1])


def test_a_pool_that_was_not_used() -> None:
    pool = ProcessPool(2)
    pool.shutdown(cancel_futures=True)
    pool.shutdown()


def test_it_waits_for_what_was_submitted() -> None:
    pool = ProcessPool(2)
    futures = [pool.submit(time.sleep, 0.001) for _ in range(100)]
    pool.shutdown()
    assert all(future.done() for future in futures)
    assert [future.result(0) for future in futures] == [None] * 100


def test_it_waits_also_if_another_thread_does(gate: Gate) -> None:
    pool = ProcessPool(1)
    future = pool.submit(pass_through, gate.path, 5)
    queued = pool.submit(pass_through, gate.path, 6)
    gate.next_begun()
    threads = [threading.Thread(target=pool.shutdown) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert not future.done() and all(thread.is_alive() for thread in threads)
    gate.open()
    for thread in threads:
        thread.join()
    assert (future.result(0), queued.result(0)) == (5, 6)


def test_nothing_is_left_of_the_workers(pool: ProcessPool) -> None:
    list(pool.map(abs, range(20)))
    pids = pids_of(pool)
    assert pids
    pool.shutdown()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_leaving_the_block_waits() -> None:
    with ProcessPool(3) as pool:
        results = pool.map(abs, range(-5, 5))
        assert next(results) == 5
        pids = pids_of(pool)
    assert list(results) == [4, 3, 2, 1, 0, 1, 2, 3, 4]
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_without_waiting_what_was_submitted_is_done_all_the_same(gate: Gate) -> None:
    pool = ProcessPool(1)
    futures = [pool.submit(pass_through, gate.path, number) for number in range(5)]
    gate.next_begun()
    pids = pids_of(pool)
    pool.shutdown(wait=False)
    with pytest.raises(RuntimeError):
        pool.submit(len, "abc")
    assert not any(future.done() for future in futures)
    gate.open()
    assert [future.result(TIMEOUT) for future in futures] == [0, 1, 2, 3, 4]
    await_end(pids)
    pool.shutdown()


def test_cancelling_what_has_not_begun(gate: Gate) -> None:
    pool = ProcessPool(2)
    futures = [pool.submit(pass_through, gate.path, number) for number in range(50)]
    gate.next_begun(), gate.next_begun()
    thread = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True})
    thread.start()
    eventually(lambda: sum(future.cancelled() for future in futures) == 48)
    gate.open()
    thread.join()
    others = [future for future in futures if not future.cancelled()]
    assert len(others) == 2 and all(future.exception(0) is None for future in others)


def test_who_waits_for_one_that_is_cancelled_by_it_is_told(gate: Gate) -> None:
    pool = ProcessPool(1)
    first = pool.submit(pass_through, gate.path)
    gate.next_begun()
    futures = [pool.submit(pass_through, gate.path) for _ in range(10)]
    pool.shutdown(wait=False, cancel_futures=True)
    done, pending = wait(futures, TIMEOUT)
    assert not pending and all(future.cancelled() for future in done)
    gate.open()
    first.result(TIMEOUT)
    pool.shutdown()


def test_cancelling_can_come_later(gate: Gate) -> None:
    pool = ProcessPool(1)
    futures = [pool.submit(pass_through, gate.path) for _ in range(10)]
    gate.next_begun()
    pool.shutdown(wait=False)
    pool.shutdown(wait=False, cancel_futures=True)
    for future in futures[1:]:
        with pytest.raises(CancelledError):
            future.result(TIMEOUT)
    gate.open()
    pool.shutdown()
    assert futures[0].exception(0) is None


def test_right_after_a_cancel() -> None:
    for _ in range(20):
        with ProcessPool(1) as pool:
            pool.submit(int).cancel()


def test_right_after_submitting() -> None:
    for _ in range(5):
        pool = ProcessPool(2)
        future = pool.submit(len, "abc")
        pool.shutdown()
        assert future.result(0) == 3


def test_while_others_submit() -> None:
    """Each submit either raises, or its future is resolved with its own result."""
    pool = ProcessPool(2)
    futures: list[tuple[int, Future[int]]] = []
    started = threading.Barrier(4)

    def submit_until_refused(own: int) -> None:
        started.wait()
        try:
            for number in range(100_000):
                futures.append((own * number, pool.submit(tasks.multiply, own, number)))
        except RuntimeError:
            return

    threads = [threading.Thread(target=submit_until_refused, args=(own,)) for own in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    eventually(lambda: len(futures) > 50)
    pool.shutdown()
    for thread in threads:
        thread.join()
    assert [future.result(0) for _, future in futures] == [expected for expected, _ in futures]


def test_a_worker_that_dies_after_it_was_called(gate: Gate) -> None:
    pool = ProcessPool(2)
    dying = pool.submit(pass_and_die, gate.path)
    others = [pool.submit(tasks.multiply, 2, number) for number in range(20)]
    gate.next_begun()
    thread = threading.Thread(target=pool.shutdown)
    thread.start()
    gate.open()
    thread.join()
    with pytest.raises(WorkerDiedError):
        dying.result(0)
    assert [future.result(0) for future in others] == list(range(0, 40, 2))


def test_tasks_that_wait_behind_a_death_are_done_after_it_was_called(gate: Gate) -> None:
    """A new worker is started for them although the pool is being shut down."""
    pool = ProcessPool(1)
    dying = pool.submit(pass_and_die, gate.path)
    others = [pool.submit(tasks.multiply, 2, number) for number in range(20)]
    gate.next_begun()
    pool.shutdown(wait=False)
    gate.open()
    pool.shutdown()
    assert isinstance(dying.exception(0), WorkerDiedError)
    assert [future.result(0) for future in others] == list(range(0, 40, 2))


def test_a_task_that_cannot_be_pickled_is_not_in_its_way(pool: ProcessPool) -> None:
    pool.submit(id, 42).result(TIMEOUT)
    with pytest.raises(Exception, match="not to be pickled"):
        pool.submit(id, tasks.Unpicklable())
    pool.shutdown(wait=False)


@pytest.mark.filterwarnings("ignore:<ProcessPool:ResourceWarning")
def test_a_pool_that_is_dropped_does_what_was_submitted() -> None:
    pool = ProcessPool(2)
    futures = [pool.submit(abs, number) for number in range(-5, 5)]
    pids = pids_of(pool)
    del pool
    gc.collect()
    assert [future.result(TIMEOUT) for future in futures] == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]
    await_end(pids)


@pytest.mark.filterwarnings("ignore:<ProcessPool:ResourceWarning")
def test_many_pools_one_after_the_other() -> None:
    for number in range(10):
        with ProcessPool(1) as pool:
            assert pool.submit(abs, -number).result(TIMEOUT) == number


def test_it_can_be_called_by_a_callback(gate: Gate) -> None:
    """On whatever thread those run; it cannot wait for itself there."""
    pool = ProcessPool(1)
    outcome: list[BaseException | None] = []
    told = threading.Event()

    def end(_: Future[object]) -> None:
        try:
            pool.shutdown()
            outcome.append(None)
        except RuntimeError as error:
            outcome.append(error)
        told.set()

    pool.submit(pass_through, gate.path).add_done_callback(end)
    gate.open()
    assert told.wait(TIMEOUT), "shutdown() in a callback hangs"
    pool.shutdown()
