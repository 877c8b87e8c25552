"""The pool as an executor: how many workers there are, which do what, when they are replaced."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import executor_tasks as tasks
import pytest
from gate import Gate, pass_through
from polling import eventually

from mojo_seq import InvalidArgumentError, ProcessPool

TIMEOUT = 30.0


def pids_of(pool: ProcessPool) -> set[int]:
    return {worker.pid for worker in pool.__actor_workers__() if worker.pid is not None}


@pytest.mark.parametrize("number", [0, -1])
def test_the_number_of_workers_is_positive(number: int) -> None:
    with pytest.raises(ValueError, match="max_workers"):
        ProcessPool(number)


def test_as_many_as_processors_by_default() -> None:
    with ProcessPool() as pool:
        assert pool.max_workers == len(os.sched_getaffinity(0))


def test_no_worker_before_the_first_task() -> None:
    with ProcessPool(3) as pool:
        assert pids_of(pool) == set()
        pool.submit(abs, 1).result(TIMEOUT)
        assert len(pids_of(pool)) == 1


def test_one_after_the_other_needs_one_worker() -> None:
    with ProcessPool(4) as pool:
        found = {pool.submit(os.getpid).result(TIMEOUT) for _ in range(10)}
        assert len(found) == 1 and pids_of(pool) == found


def test_as_many_at_a_time_as_there_are_workers_and_no_more(gate: Gate) -> None:
    with ProcessPool(3) as pool, gate:
        futures = [pool.submit(pass_through, gate.path) for _ in range(45)]
        begun = {gate.next_begun() for _ in range(3)}
        assert len(begun) == 3 and pids_of(pool) == begun
        assert gate.none_has_begun()
        gate.open()
        for future in futures:
            future.result(TIMEOUT)
        assert pids_of(pool) == begun


def test_many_workers(gate: Gate) -> None:
    with ProcessPool(24) as pool, gate:
        futures = [pool.submit(pass_through, gate.path, number) for number in range(24)]
        assert len({gate.next_begun() for _ in range(24)}) == 24
        gate.open()
        assert [future.result(TIMEOUT) for future in futures] == list(range(24))


def test_workers_are_children_of_the_pools_process() -> None:
    with ProcessPool(1) as pool:
        assert pool.submit(tasks.parent_pid).result(TIMEOUT) == os.getpid()


# --- max_tasks_per_child ---


@pytest.mark.parametrize(
    ("value", "error"), [(0, InvalidArgumentError), (-1, ValueError), (1.5, TypeError)]
)
def test_bad_numbers_of_tasks(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"max_tasks_per_child|integer"):
        ProcessPool(1, max_tasks_per_child=value)


def test_a_worker_is_replaced_after_so_many_tasks() -> None:
    with ProcessPool(1, max_tasks_per_child=3) as pool:
        found = [pool.submit(os.getpid).result(TIMEOUT) for _ in range(9)]
    assert [found.count(pid) for pid in dict.fromkeys(found)] == [3, 3, 3]


def test_also_when_they_were_submitted_at_once() -> None:
    with ProcessPool(2, max_tasks_per_child=5) as pool:
        found = list(pool.map(tasks.pid_of, range(60)))
    assert max(found.count(pid) for pid in found) <= 5


def test_who_was_replaced_is_gone() -> None:
    with ProcessPool(1, max_tasks_per_child=1) as pool:
        found = [pool.submit(os.getpid).result(TIMEOUT) for _ in range(3)]
        eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in found))


@pytest.mark.parametrize("task", [tasks.multiply, tasks.die_by_exit])
def test_nothing_is_left_here_of_who_was_replaced(task: Callable[..., Any]) -> None:
    args = (6, 7) if task is tasks.multiply else ()
    with ProcessPool(1, max_tasks_per_child=1) as pool:
        for _ in range(5):
            pool.submit(task, *args).exception(TIMEOUT)
        eventually(lambda: alive("TaskLink") <= 2 and alive("WorkerProcess") <= 2)


def alive(name: str) -> int:
    """How many objects of that class there are."""
    gc.collect()
    return sum(type(each).__name__ == name for each in gc.get_objects())


def test_the_shutdown_does_not_lose_what_needs_new_workers() -> None:
    pool = ProcessPool(3, max_tasks_per_child=1)
    futures = [pool.submit(tasks.multiply, number, number) for number in range(6)]
    pool.shutdown()
    assert [future.result(0) for future in futures] == [0, 1, 4, 9, 16, 25]


def test_a_death_does_not_count_for_the_next_one() -> None:
    with ProcessPool(1, max_tasks_per_child=2) as pool:
        pool.submit(tasks.die_by_exit).exception(TIMEOUT)
        found = [pool.submit(os.getpid).result(TIMEOUT) for _ in range(2)]
        assert found[0] == found[1]


# --- the initializer ---


def test_the_initializer_runs_in_each_worker(gate: Gate) -> None:
    with ProcessPool(2, initializer=tasks.initialize, initargs=("so", 1)) as pool:
        futures = [pool.submit(pass_through, gate.path) for _ in range(2)]
        assert gate.next_begun() != gate.next_begun()
        gate.open()
        for future in futures:
            future.result(TIMEOUT)
        states = pool.map(tasks.call, [tasks.get_initialized] * 10)
        assert list(states) == [["so", 1]] * 10


def test_the_initializer_runs_in_those_that_replace_others() -> None:
    with ProcessPool(1, initializer=tasks.initialize, initargs=("again",)) as pool:
        pool.submit(tasks.die_by_exit).exception(TIMEOUT)
        assert pool.submit(tasks.get_initialized).result(TIMEOUT) == ["again"]


def test_an_initializer_that_fails_is_told_to_all() -> None:
    with ProcessPool(2, initializer=tasks.fail_to_initialize, initargs=("why",)) as pool:
        futures = [pool.submit(abs, number) for number in range(10)]
        for future in futures:
            error = future.exception(TIMEOUT)
            assert isinstance(error, BrokenExecutor)
            assert isinstance(error.__cause__, ValueError) and str(error.__cause__) == "why"
        with pytest.raises(BrokenExecutor) as caught:
            pool.submit(abs, 1)
        assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(BrokenExecutor):
            pool.map(abs, [1, 2])


def test_an_initializer_that_exits() -> None:
    with ProcessPool(1, initializer=tasks.exit_initializing, initargs=(3,)) as pool:
        error = pool.submit(abs, 1).exception(TIMEOUT)
        assert isinstance(error, BrokenExecutor)
        assert isinstance(error.__cause__, SystemExit)


def test_an_initializer_that_ends_the_process() -> None:
    with ProcessPool(1, initializer=tasks.die_initializing) as pool:
        error = pool.submit(abs, 1).exception(TIMEOUT)
        assert isinstance(error, BrokenExecutor)
        assert "9" in f"{error} {error.__cause__}"


def test_an_initializer_that_fails_for_a_replacement(tmp_path: Path) -> None:
    """What had been done stays done, and nothing hangs."""
    flag = tmp_path / "fail"
    with ProcessPool(1, initializer=tasks.fail_if_there, initargs=(str(flag),)) as pool:
        assert pool.submit(abs, -1).result(TIMEOUT) == 1
        flag.touch()
        pool.submit(tasks.die_by_exit).exception(TIMEOUT)
        try:
            error = pool.submit(abs, -1).exception(TIMEOUT)
        except BrokenExecutor as raised:
            error = raised
        assert isinstance(error, BrokenExecutor) and isinstance(error.__cause__, LookupError)


def test_the_shutdown_with_an_initializer_that_fails() -> None:
    pool = ProcessPool(2, initializer=tasks.fail_to_initialize, initargs=("why",))
    futures = [pool.submit(abs, number) for number in range(10)]
    pool.shutdown()
    assert all(isinstance(future.exception(0), BrokenExecutor) for future in futures)
