"""Tasks that wait together are sent together: none of them suffers from what happens to another.

One worker at a gate, behind which all others wait; they were short so far, so it gets many at once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_tasks import append_line
from gate import Gate, pass_and_die, pass_through

from mojo_seq import DeadlineExceededError, ProcessPool, WorkerDiedError
from mojo_seq.pool.pool_future import PoolFuture

TIMEOUT = 30.0
WARM_UP = 300
MANY = 100
LARGE = 1 << 17  # bytes that are no part of a batch


class Row:
    """Tasks that are submitted one after the other; it is noted which have run.

    Args:
        pool: of one worker.
        path: an empty folder.
    """

    def __init__(self, pool: ProcessPool, path: Path) -> None:
        self._pool = pool
        self._path = path / "row"
        self._path.touch()
        self.futures: list[PoolFuture[Any]] = []

    def add(self, count: int = 1) -> None:
        """Tasks that note their numbers."""
        for _ in range(count):
            self.submit(append_line, str(self._path), str(len(self.futures)))

    def submit(self, fn: Callable[..., object], *args: object) -> PoolFuture[Any]:
        """Another task, which notes nothing."""
        self.futures.append(self._pool.submit(fn, *args))
        return self.futures[-1]

    def noted(self) -> list[int]:
        """What has run, in this order."""
        return [int(line) for line in self._path.read_text().split()]

    def wait(self) -> None:
        for each in self.futures:
            if not each.cancelled():
                each.exception(TIMEOUT)


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    """Of one, which has had nothing but short tasks."""
    with ProcessPool(1) as made:
        assert list(made.map(abs, range(WARM_UP))) == list(range(WARM_UP))
        yield made


@pytest.fixture
def row(pool: ProcessPool, tmp_path: Path) -> Row:
    return Row(pool, tmp_path)


@pytest.fixture
def later(tmp_path: Path, nothing_left_behind: None) -> Iterator[Gate]:
    """Another gate; shut."""
    folder = tmp_path / "later"
    folder.mkdir()
    made = Gate(folder)
    yield made
    made.close()


def hold(pool: ProcessPool, gate: Gate) -> PoolFuture[object]:
    """The worker is at the gate."""
    future = pool.submit(pass_through, gate.path)
    gate.next_begun()
    return future


def test_all_run_once_and_in_order(pool: ProcessPool, row: Row, gate: Gate) -> None:
    hold(pool, gate)
    row.add(MANY)
    gate.open()
    row.wait()
    assert row.noted() == list(range(MANY))


def test_what_is_no_part_of_a_batch_keeps_its_place(
    pool: ProcessPool, row: Row, gate: Gate
) -> None:
    hold(pool, gate)
    for _ in range(5):
        row.add(7)
        row.submit(len, bytes(LARGE))
    gate.open()
    row.wait()
    assert row.noted() == [each for each in range(40) if each % 8 != 7]
    assert [row.futures[each].result() for each in range(7, 40, 8)] == [LARGE] * 5


def test_a_death_fails_what_had_begun_and_nothing_else(
    pool: ProcessPool, row: Row, gate: Gate
) -> None:
    hold(pool, gate)
    row.add(MANY)
    died = row.submit(os._exit, 7)
    row.add(MANY)
    gate.open()
    row.wait()
    assert row.noted() == [each for each in range(2 * MANY + 1) if each != MANY]
    error = died.exception()
    assert isinstance(error, WorkerDiedError) and error.exitcode == 7
    assert all(each is died or each.exception() is None for each in row.futures)


def test_deaths_one_after_the_other(pool: ProcessPool, row: Row, gate: Gate) -> None:
    hold(pool, gate)
    died = []
    for _ in range(3):
        row.add(10)
        died.append(row.submit(os._exit, 7))
        died.append(row.submit(os._exit, 8))
    row.add(10)
    gate.open()
    row.wait()
    codes = [
        error.exitcode for each in died if isinstance(error := each.exception(), WorkerDiedError)
    ]
    assert codes == [7, 8] * 3
    assert row.noted() == [each for each in range(46) if each % 12 < 10]


def test_what_waits_behind_one_that_dies_late_goes_to_another_worker(
    pool: ProcessPool, row: Row, gate: Gate, later: Gate
) -> None:
    hold(pool, gate)
    died = row.submit(pass_and_die, later.path)
    row.add(MANY)
    gate.open()
    first = later.next_begun()
    assert row.noted() == []
    later.open()
    row.wait()
    assert isinstance(died.exception(), WorkerDiedError)
    assert row.noted() == list(range(1, MANY + 1))
    assert pool.submit(os.getpid).result(TIMEOUT) != first


def test_cancelled_ones_do_not_run(pool: ProcessPool, row: Row, gate: Gate) -> None:
    hold(pool, gate)
    row.add(MANY)
    assert all(each.cancel() for each in row.futures[::3])
    gate.open()
    row.wait()
    assert row.noted() == [each for each in range(MANY) if each % 3]
    assert [each.cancelled() for each in row.futures] == [each % 3 == 0 for each in range(MANY)]


def test_what_was_sent_and_has_not_begun_can_be_cancelled(
    pool: ProcessPool, row: Row, gate: Gate, later: Gate
) -> None:
    hold(pool, gate)
    row.submit(pass_through, later.path)
    row.add(MANY)
    gate.open()
    later.next_begun()
    assert all(each.cancel() for each in row.futures[1::2])
    later.open()
    row.wait()
    assert row.noted() == list(range(2, MANY + 1, 2))


def test_no_answer_waits_for_a_task_that_takes_long(
    pool: ProcessPool, row: Row, gate: Gate, later: Gate
) -> None:
    hold(pool, gate)
    row.add(10)
    last = row.submit(pass_through, later.path)
    row.add(10)
    gate.open()
    for each in row.futures[:10]:
        each.result(TIMEOUT)
    assert not last.done()
    later.open()
    row.wait()
    assert row.noted() == [each for each in range(21) if each != 10]


def test_what_waits_behind_a_long_one_is_done_by_others(gate: Gate, later: Gate) -> None:
    with ProcessPool(2) as pool:
        assert list(pool.map(abs, range(WARM_UP))) == list(range(WARM_UP))
        held = [pool.submit(pass_through, gate.path) for _ in range(2)]
        for _ in held:
            gate.next_begun()
        long = pool.submit(pass_through, later.path)
        others = [pool.submit(abs, -each) for each in range(MANY)]
        gate.open()
        later.next_begun()
        assert [each.result(TIMEOUT) for each in others] == list(range(MANY))
        assert not long.done()
        later.open()


def test_failures_of_some_are_theirs(pool: ProcessPool, gate: Gate) -> None:
    hold(pool, gate)
    futures = [pool.submit(divmod, 12, each % 4) for each in range(MANY)]
    gate.open()
    for number, each in enumerate(futures):
        if number % 4:
            assert each.result(TIMEOUT) == divmod(12, number % 4)
        else:
            assert isinstance(each.exception(TIMEOUT), ZeroDivisionError)


@pytest.mark.parametrize("most", [1, 7])
def test_no_worker_gets_more_than_it_may_run(most: int) -> None:
    with ProcessPool(2, max_tasks_per_child=most) as pool:
        futures = [pool.submit(os.getpid) for _ in range(40)]
        pids = Counter(each.result(TIMEOUT) for each in futures)
    assert max(pids.values()) <= most


def test_each_has_its_own_timeout(pool: ProcessPool, gate: Gate, later: Gate) -> None:
    hold(pool, gate)
    futures = [pool.with_options(timeout=TIMEOUT).submit(abs, -each) for each in range(MANY)]
    hasty = pool.with_options(timeout=0.01).submit(pass_through, later.path)
    futures += [pool.with_options(timeout=TIMEOUT).submit(abs, -each) for each in range(MANY)]
    gate.open()
    assert [each.result(TIMEOUT) for each in futures] == 2 * list(range(MANY))
    assert isinstance(hasty.exception(TIMEOUT), DeadlineExceededError)
