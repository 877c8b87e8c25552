"""The pool as an executor: map, its chunks, timeouts and errors, and ending it early."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import weakref
from collections.abc import Iterator

import executor_tasks as tasks
import pytest
from gate import Gate, pass_through
from polling import eventually

from mojo_seq import ProcessPool, WorkerDiedError

TIMEOUT = 30.0
SQUARES = [number * number for number in range(40)]


@pytest.mark.parametrize("chunksize", [1, 2, 3, 6, 39, 40, 41, 50, 10**9])
def test_results_are_in_order_whatever_the_chunks(pool: ProcessPool, chunksize: int) -> None:
    found = pool.map(tasks.multiply, range(40), range(40), chunksize=chunksize)
    assert list(found) == SQUARES


@pytest.mark.parametrize("chunksize", [1, 7])
def test_the_shortest_iterable_ends_it(pool: ProcessPool, chunksize: int) -> None:
    found = pool.map(tasks.multiply, itertools.count(), range(40), chunksize=chunksize)
    assert list(found) == SQUARES


@pytest.mark.parametrize("chunksize", [1, 7])
def test_of_nothing(pool: ProcessPool, chunksize: int) -> None:
    assert list(pool.map(tasks.multiply, [], range(3), chunksize=chunksize)) == []
    assert list(pool.map(tasks.multiply, chunksize=chunksize)) == []


@pytest.mark.parametrize("chunksize", [0, -1])
def test_chunks_have_at_least_one(pool: ProcessPool, chunksize: int) -> None:
    with pytest.raises(ValueError, match="chunksize"):
        pool.map(pow, range(40), range(40), chunksize=chunksize)


def test_it_begins_without_iteration(pool: ProcessPool, gate: Gate) -> None:
    results = pool.map(pass_through, [gate.path, gate.path], "ab")
    gate.next_begun()
    gate.next_begun()
    gate.open()
    assert list(results) == ["a", "b"]


def test_the_iterables_are_taken_at_the_call(pool: ProcessPool) -> None:
    """As the other executors do: whoever wants it lazy has imap."""
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    results = pool.map(str, numbers())
    assert taken == [0, 1, 2, 3, 4]
    assert list(results) == ["0", "1", "2", "3", "4"]


def test_an_error_of_an_iterable_is_an_error_of_the_call(pool: ProcessPool, gate: Gate) -> None:
    def broken() -> Iterator[str]:
        yield gate.path
        raise LookupError("of the iterable")

    with pytest.raises(LookupError, match="of the iterable"):
        pool.map(pass_through, broken())
    gate.open()
    assert pool.submit(len, "abc").result(TIMEOUT) == 3


@pytest.mark.parametrize("chunksize", [1, 2])
def test_an_exception_comes_in_its_place_and_ends_it(pool: ProcessPool, chunksize: int) -> None:
    results = pool.map(tasks.divide, [1, 1, 1, 1], [2, 4, 0, 8], chunksize=chunksize)
    assert [next(results), next(results)] == [0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_an_exception_cancels_what_has_not_begun(pool: ProcessPool, gate: Gate) -> None:
    with ProcessPool(1) as single, gate:
        results = single.map(
            tasks.call, [tasks.fail, *[pass_through] * 50], [ValueError] + [gate.path] * 50
        )
        with pytest.raises(ValueError):
            next(results)
        gate.open()
    assert count_begun(gate) < 50


def count_begun(gate: Gate) -> int:
    count = 0
    while not gate.none_has_begun():
        gate.next_begun()
        count += 1
    return count


def test_the_timeout_counts_from_the_call(pool: ProcessPool, gate: Gate) -> None:
    results = pool.map(tasks.call, [len, pass_through], ["abc", gate.path], timeout=0.2)
    found: list[object] = []
    with pytest.raises(concurrent.futures.TimeoutError):
        found.extend(results)
    gate.open()
    # The first one may have had no time, but nothing that comes after the one that waits is there.
    assert found in ([], [3])


def test_a_timeout_cancels_what_has_not_begun(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path)
        gate.next_begun()
        results = pool.map(pass_through, [gate.path] * 20, timeout=0)
        with pytest.raises(TimeoutError):
            next(results)
        gate.open()
        first.result(TIMEOUT)
    assert gate.none_has_begun()


def test_closing_it_early_cancels_what_has_not_begun(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path)
        gate.next_begun()
        results = pool.map(pass_through, [gate.path] * 20)
        next_result = iter(results)
        assert isinstance(results, Iterator)
        del next_result, results  # dropped, which closes it
        gc.collect()
        again = pool.map(pass_through, [gate.path] * 20)
        again.close()  # type: ignore[attr-defined]
        gate.open()
        first.result(TIMEOUT)
        assert pool.submit(len, "abc").result(TIMEOUT) == 3


def test_it_keeps_no_results(pool: ProcessPool) -> None:
    for thing in pool.map(tasks.make_referenced, range(10)):
        gone = weakref.ref(thing)
        del thing
        eventually(lambda gone=gone: gone() is None)  # type: ignore[misc]


def test_what_cannot_be_pickled_is_an_error_of_the_call(pool: ProcessPool) -> None:
    with pytest.raises(Exception, match="not to be pickled"):
        pool.map(len, ["abc", tasks.Unpicklable()])
    with pytest.raises(Exception, match="not to be pickled"):
        pool.map(len, ["abc", tasks.Unpicklable()], chunksize=2)


def test_a_death_comes_in_its_place(pool: ProcessPool) -> None:
    results = pool.map(tasks.call, [len, tasks.die_by_kill], ["abc", 0])
    assert next(results) == 3
    with pytest.raises(WorkerDiedError):
        next(results)
    assert list(pool.map(len, ["abc"] * 5)) == [3] * 5


def test_several_at_a_time(pool: ProcessPool) -> None:
    numbers, texts = pool.map(abs, range(-20, 20)), pool.map(str, range(40), chunksize=3)
    pairs = list(zip(numbers, texts, strict=True))
    assert pairs == [(abs(n - 20), str(n)) for n in range(40)]


def test_a_map_that_nobody_reads_is_done_before_the_end(gate: Gate) -> None:
    with ProcessPool(2) as pool, gate:
        kept = pool.map(str, range(10))
    assert list(kept) == [str(number) for number in range(10)]
