"""Arrays as arguments and results of tasks (public contract §12, "numpy arrays")."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import array_tasks
import numpy as np
import pytest

from mojo_seq import ResourceExhaustedError, WorkerDiedError, _core
from mojo_seq.pool import ProcessPool
from mojo_seq.process import give, memory_statistics, set_memory_budget, shared_array

TIMEOUT = 30.0


@pytest.mark.parametrize("count", [1, 1000, 300_000])
def test_arguments_and_results_can_only_be_read(pool: ProcessPool, count: int) -> None:
    array = np.arange(count, dtype=float)
    assert pool.submit(array_tasks.is_writable, {"deep": [array]}).result(TIMEOUT) is False
    result = pool.submit(array_tasks.same, array).result(TIMEOUT)
    assert (result == array).all() and not result.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        pool.submit(array_tasks.fill, array, 3).result(TIMEOUT)


@pytest.mark.parametrize("count", [1, 1000, 300_000])
def test_given_ones_can_be_written_to(pool: ProcessPool, count: int) -> None:
    array = np.arange(count, dtype=float)
    assert pool.submit(array_tasks.is_writable, {"deep": [give(array)]}).result(TIMEOUT) is True
    result = pool.submit(array_tasks.negative, give(array)).result(TIMEOUT)
    assert (result == -array).all() and result.flags.writeable


def test_a_given_one_goes_to_and_fro_without_a_copy(pool: ProcessPool) -> None:
    array: Any = shared_array(100_000)
    address = array.ctypes.data
    for _ in range(5):
        array = pool.submit(array_tasks.negative, give(array)).result(TIMEOUT)
        assert array.ctypes.data == address and array.flags.writeable


def test_a_shared_one_is_filled_in_place(pool: ProcessPool) -> None:
    array = shared_array((10, 1000))
    list(pool.map(array_tasks.fill, list(array), range(10), timeout=TIMEOUT))
    assert (array == np.arange(10)[:, None]).all()
    list(pool.map(array_tasks.fill, list(array.T), range(1000), chunksize=100, timeout=TIMEOUT))
    assert (array == np.arange(1000)).all()


def test_a_result_that_was_made_shared_is_shared(pool: ProcessPool) -> None:
    array = pool.submit(array_tasks.made_here, 1000).result(TIMEOUT)
    pool.submit(array_tasks.fill, array, 3).result(TIMEOUT)
    assert (array == 3).all()


def test_a_result_goes_on_to_the_next_task_without_a_copy(pool: ProcessPool) -> None:
    """Nobody can write to it."""
    result = pool.submit(array_tasks.same, np.arange(100_000.0)).result(TIMEOUT)
    same = pool.submit(array_tasks.same, result).result(TIMEOUT)
    assert same.ctypes.data == result.ctypes.data


def test_a_task_that_is_run_again_gets_the_same_arguments(pool: ProcessPool) -> None:
    shared = shared_array(2, "i8")
    array = np.arange(100_000.0)
    retrying = pool.with_options(retries=2)
    future = retrying.submit(array_tasks.die_first, shared, array, give(np.arange(5)))
    array[:] = -1
    total, five = future.result(TIMEOUT)
    assert total == sum(range(100_000)) and five.tolist() == [0, 1, 2, 3, 4]
    assert shared[0] == 1


def test_what_a_dead_worker_held_is_no_leak(pool: ProcessPool) -> None:
    _core.release_cached_memory()
    array = shared_array(100_000)
    with pytest.raises(WorkerDiedError):
        pool.submit(array_tasks.keep_and_die, array, np.zeros(100_000)).result(TIMEOUT)
    del array
    pool.submit(os.getpid).result(TIMEOUT)
    assert memory_statistics()[1:5] == (0, 0, 0, 0)


def test_beyond_the_budget_a_result_is_an_error(request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: set_memory_budget(None))
    set_memory_budget(4 << 20)
    with ProcessPool(1) as pool:
        with pytest.raises(ResourceExhaustedError, match="budget"):
            pool.submit(array_tasks.made_by_value, 1 << 20).result(TIMEOUT)
        assert pool.submit(array_tasks.made_by_value, 1 << 17).result(TIMEOUT).size == 1 << 17


@pytest.mark.parametrize("order", [lambda a: a, lambda a: a.T, lambda a: a[::2, ::-3]])
def test_views_of_all_kinds(pool: ProcessPool, order: Callable[[Any], Any]) -> None:
    array = np.arange(60_000.0).reshape(200, 300)
    shared = shared_array((200, 300))
    shared[:] = array
    for each in (array, shared, give(array)):
        assert (pool.submit(array_tasks.same, order(each)).result(TIMEOUT) == order(array)).all()
    pool.submit(array_tasks.fill, order(shared), 0).result(TIMEOUT)
    assert order(shared).sum() == 0


def test_many_calls_take_no_fresh_memory() -> None:
    array = np.ones(1 << 20)
    with ProcessPool(1) as pool:
        for _ in range(10):
            pool.submit(array_tasks.same, array).result(TIMEOUT)
        before = pool.submit(array_tasks.faults).result(TIMEOUT), array_tasks.faults()
        for _ in range(50):
            assert pool.submit(array_tasks.same, array).result(TIMEOUT)[3] == 1
        after = pool.submit(array_tasks.faults).result(TIMEOUT), array_tasks.faults()
    assert all(new - old < 2 * 2048 for old, new in zip(before, after, strict=True))


def test_a_pool_whose_workers_are_killed_with_arrays_goes_on(pool: ProcessPool) -> None:
    array = shared_array(1000)
    for turn in range(5):
        pid = pool.submit(array_tasks.fill_and_tell, array, turn).result(TIMEOUT)
        os.kill(pid, signal.SIGKILL)
        assert (array == turn).all()
