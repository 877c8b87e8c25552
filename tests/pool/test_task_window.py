"""imap and imap_unordered, by tasks that end when the test says so: what is ahead, in what order,
and what becomes of it."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from typing import Any

import pytest
from manual_pool import ManualPool
from polling import eventually

from mojo_seq import DeadlineExceededError, InvalidArgumentError, ShutdownError
from mojo_seq.pool.result_iterator import ResultIterator

METHODS = ("imap", "imap_unordered")
FAST = 1000  # all tasks


@pytest.fixture
def pool() -> ManualPool:
    return ManualPool()


@pytest.fixture(params=METHODS)
def start(request: pytest.FixtureRequest, pool: ManualPool) -> Callable[..., ResultIterator[Any]]:
    """Either method."""
    found: Callable[..., ResultIterator[Any]] = getattr(pool, request.param)
    return found


Start = Callable[..., ResultIterator[Any]]


def identity(value: Any) -> Any:
    return value


# --- what is ahead ---


def test_two_tasks_for_each_worker_are_started_at_once(pool: ManualPool, start: Start) -> None:
    results = start(identity, range(100))
    assert len(pool.tasks) == 4
    results.close()


@pytest.mark.parametrize("buffer", [1, 3, 50])
def test_buffer_is_how_many_are_ahead(pool: ManualPool, start: Start, buffer: int) -> None:
    numbers = itertools.count()
    with start(identity, numbers, buffer=buffer) as results:
        for number in range(20):
            pool.run_all()
            assert next(results) <= number + buffer
            assert len(pool.tasks) <= number + 1 + buffer
    assert next(numbers) == len(pool.tasks)


def test_the_iterables_are_advanced_no_further_than_needed(pool: ManualPool, start: Start) -> None:
    """One that waits for its next item holds back no more than one result."""
    pool.fast = FAST
    with start(identity, itertools.count(), buffer=8) as results:
        assert len(pool.tasks) == 1
        assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
        assert len(pool.tasks) == 6


def test_the_shortest_iterable_ends_it(pool: ManualPool, start: Start) -> None:
    with start(lambda *args: args, "ab", itertools.count(), [None] * 5) as results:
        pool.run_all()
        assert list(results) == [("a", 0, None), ("b", 1, None)]


def test_nothing_to_be_done(start: Start) -> None:
    results = start(identity, [])
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(results)


# --- in what order ---


def test_ordered_results_wait_for_each_other(pool: ManualPool) -> None:
    with pool.imap(identity, "abcd") as results:
        pool.run(1, 3)
        with pytest.raises(DeadlineExceededError):
            results.next(timeout=0)
        pool.run(0)
        assert (next(results), next(results)) == ("a", "b")
        with pytest.raises(DeadlineExceededError):
            results.next(timeout=0)
        pool.run(2)
        assert list(results) == ["c", "d"]


def test_unordered_results_come_as_they_are_made(pool: ManualPool) -> None:
    with pool.imap_unordered(identity, "abcd") as results:
        for number, letter in ((3, "d"), (0, "a"), (2, "c"), (1, "b")):
            pool.run(number)
            assert next(results) == letter
        assert list(results) == []


def test_waiting_ends_when_a_result_comes(pool: ManualPool, start: Start) -> None:
    with start(identity, "ab") as results:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.extend(results))
        thread.start()
        pool.run(0, 1)
        thread.join()
        assert found == ["a", "b"]


# --- exceptions in their place ---


def reciprocal(number: int) -> float:
    return 1 / number


def outcomes(results: ResultIterator[Any]) -> list[Any]:
    found: list[Any] = []
    while True:
        try:
            found.append(next(results))
        except StopIteration:
            return found
        except Exception as error:
            found.append(type(error))


@pytest.mark.parametrize("chunksize", [1, 2, 3, 10])
def test_an_exception_comes_in_the_place_of_the_result(
    pool: ManualPool, start: Start, chunksize: int
) -> None:
    with start(reciprocal, [1, 0, 2, 0, 4], chunksize=chunksize, buffer=9) as results:
        pool.run_all()
        found = outcomes(results)
        assert found == [1, ZeroDivisionError, 0.5, ZeroDivisionError, 0.25]


def test_what_happens_to_a_whole_chunk_happens_to_each_call(pool: ManualPool, start: Start) -> None:
    with start(identity, range(5), chunksize=2) as results:
        pool.run(0, 2)
        pool.tasks[1].future.set_exception(OSError("gone"))
        assert outcomes(results).count(OSError) == 2


def test_a_call_that_cannot_be_started(pool: ManualPool, start: Start) -> None:
    def refuse_second() -> Iterator[int]:
        yield 1
        pool.refusal = TypeError("not to be pickled")
        yield 2
        pool.refusal = None
        yield 3

    pool.fast = FAST
    with start(identity, refuse_second()) as results:
        assert sorted(map(str, outcomes(results))) == ["1", "3", str(TypeError)]


def test_an_exception_of_the_iterable_comes_after_all_results(
    pool: ManualPool, start: Start
) -> None:
    def fail_at_last() -> Iterator[int]:
        yield from range(3)
        raise LookupError

    pool.fast = FAST
    with start(identity, fail_at_last(), chunksize=2) as results:
        assert outcomes(results) == [0, 1, 2, LookupError]


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_no_exception_of_a_call_passes_for_the_end(
    pool: ManualPool, start: Start, error: type[Exception]
) -> None:
    with start(identity, "ab", buffer=2) as results:
        pool.tasks[0].future.set_exception(error("early"))
        pool.run(1)
        assert sorted(map(str, outcomes(results))) == [str(RuntimeError), "b"]


def test_a_cancelled_task(pool: ManualPool, start: Start) -> None:
    with start(identity, "ab") as results:
        pool.tasks[0].future.cancel()
        pool.run(1)
        assert sorted(map(str, outcomes(results))) == [str(CancelledError), "b"]


@pytest.mark.parametrize("error", [ShutdownError("over"), BrokenExecutor("broken")])
def test_a_pool_that_has_ended_ends_it_after_what_it_has_done(
    pool: ManualPool, start: Start, error: Exception
) -> None:
    with start(identity, itertools.count(), buffer=2) as results:
        pool.refusal = error
        pool.run_all()
        assert outcomes(results) == [0, 1, type(error)]
        assert outcomes(results) == []
        with pytest.raises(type(error)):
            start(identity, itertools.count())


def test_ctrl_c_in_the_iterable_loses_nothing(pool: ManualPool, start: Start) -> None:
    class Interrupted:
        """Not a generator, which an exception would end."""

        def __init__(self) -> None:
            self.numbers = iter(range(6))
            self.calls = 0

        def __iter__(self) -> Interrupted:
            return self

        def __next__(self) -> int:
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return next(self.numbers)

    pool.fast = FAST
    with start(identity, Interrupted(), chunksize=2, buffer=1) as results:
        with pytest.raises(KeyboardInterrupt):
            next(results)
        assert list(results) == [0, 1, 2, 3, 4, 5]


# --- its end ---


def test_closing_cancels_what_has_not_begun_and_asks_the_rest(
    pool: ManualPool, start: Start
) -> None:
    results = start(identity, itertools.count())
    pool.run(0)
    pool.tasks[1].begin()
    results.close()
    futures = [task.future for task in pool.tasks]
    assert [each.cancelled() for each in futures] == [False, False, True, True]
    assert [each.asked_to_end for each in futures] == [False, True, False, False]
    assert list(results) == []
    results.close()


def leave_block(pool: ManualPool, start: Start) -> None:
    with start(identity, range(100)):
        assert pool.tasks


def leave_loop(pool: ManualPool, start: Start) -> None:
    for _ in start(identity, range(100)):
        assert not pool.tasks[1].future.done()
        break


def fail_in_loop(pool: ManualPool, start: Start) -> None:
    try:
        for _ in start(identity, range(100)):
            raise ZeroDivisionError
    except ZeroDivisionError:
        return


def forget(pool: ManualPool, start: Start) -> None:
    start(identity, range(100))


def forget_in_cycle(pool: ManualPool, start: Start) -> None:
    cycle: list[Any] = [start(identity, range(100))]
    cycle.append(cycle)
    del cycle
    gc.collect()


@pytest.mark.parametrize("end", [leave_block, leave_loop, fail_in_loop, forget, forget_in_cycle])
def test_every_early_end_closes_it(
    pool: ManualPool, start: Start, end: Callable[[ManualPool, Start], None]
) -> None:
    pool.fast = 1
    end(pool, start)
    assert len(pool.tasks) <= 2
    assert all(task.future.done() for task in pool.tasks)


def test_another_thread_may_close_it(pool: ManualPool, start: Start) -> None:
    results = start(identity, range(100))
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(list(results)))
    thread.start()
    results.close()
    thread.join()
    assert found == [[]]


def test_results_are_forgotten_once_they_were_taken(pool: ManualPool, start: Start) -> None:
    class Result:
        """A weak reference to it can be had."""

    alive: weakref.WeakSet[Result] = weakref.WeakSet()

    def make(_: int) -> Result:
        result = Result()
        alive.add(result)
        return result

    with start(make, itertools.count(), buffer=3) as results:
        for _ in range(50):
            pool.run_all()
            next(results)
            pool.tasks[:-3] = [pool.tasks[-3]] * (len(pool.tasks) - 3)
        gc.collect()
        assert len(alive) <= 4


def test_arguments_are_forgotten_when_it_is_closed(pool: ManualPool, start: Start) -> None:
    def endless() -> Iterator[int]:
        yield from itertools.count()

    source = endless()
    reference = weakref.ref(source)
    results = start(identity, source)
    del source
    results.close()
    pool.tasks.clear()
    gc.collect()
    assert reference() is None


def test_only_one_iterates_at_a_time(pool: ManualPool, start: Start) -> None:
    results = start(identity, itertools.count())
    thread = threading.Thread(target=list, args=[results])
    thread.start()
    eventually(lambda: results._busy)
    with pytest.raises(RuntimeError, match="another thread or task"):
        next(results)
    results.close()
    thread.join()


# --- misuse ---


@pytest.mark.parametrize(
    ("args", "options", "error"),
    [
        ((None, "abc"), {}, TypeError),
        ((identity,), {}, TypeError),
        ((identity, 1), {}, TypeError),
        ((identity, "abc"), {"buffer": 0}, InvalidArgumentError),
        ((identity, "abc"), {"buffer": 1.5}, TypeError),
        ((identity, "abc"), {"chunksize": 0}, InvalidArgumentError),
        ((identity, "abc"), {"chunksize": "1"}, TypeError),
        ((identity, "abc"), {"progress": "yes"}, TypeError),
    ],
)
def test_bad_arguments(
    pool: ManualPool,
    start: Start,
    args: tuple[Any, ...],
    options: dict[str, Any],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        start(*args, **options)
    assert pool.tasks == []
