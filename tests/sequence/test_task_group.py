"""Task groups on threads: nothing outlives the block, errors and cancellation (public contract
§12)."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from mojo_seq import (
    CancelledError,
    InvalidArgumentError,
    SequencedTaskRunner,
    ShutdownError,
    TaskFuture,
    ThreadPool,
    WaitableEvent,
    check_cancelled,
    current_task,
)

TIMEOUT = 30.0


def cooperate() -> None:
    """Goes on until it is cancelled."""
    current_task().sleep(TIMEOUT)
    raise AssertionError("was not cancelled")


def fail(message: str) -> None:
    raise LookupError(message)


def wait_at(entered: threading.Event, gate: threading.Event) -> None:
    entered.set()
    gate.wait(TIMEOUT)


def begun(future: TaskFuture[object], event: threading.Event) -> TaskFuture[object]:
    assert event.wait(TIMEOUT)
    return future


def test_leaving_the_block_waits_for_all_tasks(pool: ThreadPool) -> None:
    gate, done = threading.Event(), list[int]()

    def work(number: int) -> int:
        gate.wait(TIMEOUT)
        done.append(number)
        return number * 2

    with pool.task_group() as group:
        futures = [group.submit(work, number) for number in range(20)]
        assert isinstance(futures[0], concurrent.futures.Future)
        gate.set()
    assert sorted(done) == list(range(20))
    assert [future.result() for future in futures] == [number * 2 for number in range(20)]


def test_an_empty_group_ends(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        assert not group.cancelled
    assert not group.cancelled


def test_arguments_are_passed(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        future = group.submit(dict, self=1, fn=2, scope=3)
    assert future.result() == {"self": 1, "fn": 2, "scope": 3}


def test_a_failure_cancels_the_siblings_and_is_raised_in_a_group(pool: ThreadPool) -> None:
    started = threading.Event()

    def sibling() -> None:
        started.set()
        cooperate()

    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        other = begun(group.submit(sibling), started)
        failing = group.submit(fail, "mine")
    (error,) = raised.value.exceptions
    assert error is failing.exception()
    assert other.cancelled() and group.cancelled


def test_tasks_that_have_not_begun_are_taken_back(
    pool: ThreadPool, hold: Callable[[SequencedTaskRunner], threading.Event]
) -> None:
    ran = list[str]()
    gates = [hold(pool.create_sequenced_task_runner()) for _ in range(3)]
    with pool.task_group() as group:
        entered, gate = threading.Event(), threading.Event()
        group.submit(wait_at, entered, gate)
        assert entered.wait(TIMEOUT)
        waiting = [group.submit(ran.append, "queued") for _ in range(5)]
        group.cancel()
        assert all(future.cancelled() for future in waiting)
        gate.set()
    for held in gates:
        held.set()
    assert ran == []


def test_all_errors_are_there_that_of_the_block_last(pool: ThreadPool) -> None:
    both = threading.Barrier(2)

    def fail_together(message: str) -> None:
        both.wait(TIMEOUT)
        raise LookupError(message)

    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        futures = [group.submit(fail_together, name) for name in "ab"]
        concurrent.futures.wait(futures, TIMEOUT)
        raise KeyError("body")
    *tasks, body = raised.value.exceptions
    assert {str(error) for error in tasks} == {"a", "b"}
    assert isinstance(body, KeyError)


def test_the_blocks_own_error_is_in_a_group_even_alone(pool: ThreadPool) -> None:
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        future = group.submit(cooperate)
        raise KeyError("body")
    assert [type(error) for error in raised.value.exceptions] == [KeyError]
    assert future.cancelled()


def test_an_error_that_the_block_passes_on_is_there_once(pool: ThreadPool) -> None:
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        future = group.submit(fail, "once")
        future.result(TIMEOUT)
    assert raised.value.exceptions == (future.exception(),)


def test_cancel_ends_the_block_quietly(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        futures = [group.submit(cooperate) for _ in range(3)]
        group.cancel()
    assert all(future.cancelled() for future in futures)
    assert group.cancelled
    with pytest.raises(concurrent.futures.CancelledError):
        futures[0].result()


def test_any_thread_may_cancel(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        group.submit(cooperate)
        group.submit(group.cancel)


def test_an_error_while_being_cancelled_is_an_error(pool: ThreadPool) -> None:
    started = threading.Event()

    def fails_to_clean_up() -> None:
        started.set()
        try:
            cooperate()
        except CancelledError:
            raise OSError("cleaning up") from None

    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        begun(group.submit(fails_to_clean_up), started)
        group.cancel()
    (error,) = raised.value.exceptions
    assert isinstance(error, OSError)


def test_a_cancelled_error_out_of_the_blue_is_an_error(pool: ThreadPool) -> None:
    def raise_it() -> None:
        raise CancelledError("of a handle, say")

    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        group.submit(raise_it)
    assert isinstance(raised.value.exceptions[0], CancelledError)


def test_a_future_that_the_user_cancels_is_no_error(
    pool: ThreadPool, hold: Callable[[SequencedTaskRunner], threading.Event]
) -> None:
    gates = [hold(pool.create_sequenced_task_runner()) for _ in range(4)]
    with pool.task_group() as group:
        future = group.submit(cooperate)
        assert future.cancel() and future.cancel() and future.cancelled()
        for gate in gates:
            gate.set()
        assert group.submit(pow, 2, 3).result(TIMEOUT) == 8


def test_one_task_can_be_asked_to_end(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        future = group.submit(cooperate)
        future.request_cancel()
        assert concurrent.futures.wait([future], TIMEOUT).done == {future}
        assert future.cancelled() and not group.cancelled


def test_a_task_may_finish_in_spite_of_being_cancelled(pool: ThreadPool) -> None:
    entered, gate = threading.Event(), threading.Event()

    def finish() -> str:
        entered.set()
        gate.wait(TIMEOUT)
        return "finished"

    with pool.task_group() as group:
        future = begun(group.submit(finish), entered)
        group.cancel()
        assert not future.done()  # threads are waited for
        gate.set()
    assert future.result() == "finished"


def test_cancellation_has_levels_not_edges(pool: ThreadPool) -> None:
    times, started = list[int](), threading.Event()

    def stubborn() -> None:
        started.set()
        for attempt in range(3):
            try:
                current_task().sleep(TIMEOUT)
            except CancelledError:
                times.append(attempt)
        check_cancelled()

    with pool.task_group() as group:
        future = begun(group.submit(stubborn), started)
        group.cancel()
        for _ in range(2):
            with pytest.raises(CancelledError):
                check_cancelled()
            with pytest.raises(CancelledError):
                group.submit(cooperate)
    assert times == [0, 1, 2] and future.cancelled()


def test_what_the_block_waits_for_ends_with_the_group(pool: ThreadPool) -> None:
    entered, gate = threading.Event(), threading.Event()
    with pytest.raises(ExceptionGroup, match="errors in a task group"), pool.task_group() as group:
        future = begun(group.submit(wait_at, entered, gate), entered)
        group.submit(fail, "so the block ends")
        try:
            future.result(TIMEOUT)
        except CancelledError:
            gate.set()
            raise


def test_tasks_submit_to_their_group(pool: ThreadPool) -> None:
    seen = list[int]()
    with pool.task_group() as group:

        def grow(depth: int) -> None:
            seen.append(depth)
            if depth:
                group.submit(grow, depth - 1)
                group.submit(grow, depth - 1)

        group.submit(grow, 5)
    assert len(seen) == 63


def test_a_group_is_used_in_its_block(pool: ThreadPool) -> None:
    group = pool.task_group()
    with pytest.raises(RuntimeError, match="not open"):
        group.submit(cooperate)
    with group:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        group.submit(cooperate)
    with pytest.raises(RuntimeError, match="once"), group:
        raise AssertionError("cannot be entered twice")


def test_the_grace_period_is_no_negative_number(pool: ThreadPool) -> None:
    for grace in (-1.0, float("nan")):
        with pytest.raises(InvalidArgumentError, match="grace"):
            pool.task_group(grace=grace)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_exits_are_raised_by_themselves(pool: ThreadPool, kind: type[BaseException]) -> None:
    def exit_() -> None:
        raise kind("task")

    with pytest.raises(kind, match="body"), pool.task_group() as group:
        future = group.submit(cooperate)
        raise kind("body")
    assert future.cancelled()
    with pytest.raises(kind, match="task"), pool.task_group() as group:
        future = group.submit(cooperate)
        group.submit(exit_)
    assert future.cancelled()


def test_a_group_in_a_generator_that_is_closed(pool: ThreadPool) -> None:
    def generate() -> object:
        with pool.task_group() as group:
            yield group.submit(cooperate)

    generator = generate()
    future = next(generator)  # type: ignore[call-overload]
    generator.close()  # type: ignore[attr-defined]
    assert future.cancelled()


def test_submitting_after_the_pools_end(pool: ThreadPool) -> None:
    with ThreadPool(1) as other:
        group = other.task_group()
    with pytest.raises(ExceptionGroup) as raised, group:
        group.submit(cooperate)
    assert isinstance(raised.value.exceptions[0], ShutdownError)


def test_tasks_that_a_shutdown_skips_are_errors() -> None:
    entered, gate = threading.Event(), threading.Event()
    pool = ThreadPool(1)
    with pytest.raises(ExceptionGroup) as raised, pool.task_group() as group:
        group.submit(wait_at, entered, gate)
        assert entered.wait(TIMEOUT)
        skipped = group.submit(cooperate)
        ending = threading.Thread(target=pool.shutdown)
        ending.start()
        with pytest.raises(ShutdownError):
            while True:  # until the shutdown has begun
                pool.post_task(int)
        gate.set()
        ending.join()
    assert skipped.cancelled()
    (error,) = raised.value.exceptions
    assert isinstance(error, ShutdownError)


def test_a_timeout_of_result_cancels_nothing(pool: ThreadPool) -> None:
    with pool.task_group() as group:
        future = group.submit(cooperate)
        with pytest.raises(TimeoutError):
            future.result(0.001)
        with pytest.raises(TimeoutError):
            future.exception(0)
        assert not future.done()
        group.cancel()


class Token:
    """Something a weak reference can be made to."""


def test_nothing_keeps_what_tasks_had(pool: ThreadPool) -> None:
    token = Token()
    gone = weakref.ref(token)
    gc.disable()
    try:
        with pool.task_group() as group:
            group.submit(lambda held: None, token)
            del token
        with pytest.raises(ExceptionGroup), pool.task_group() as other:
            other.submit(fail, "and errors make no garbage")
        del group, other
        pool.submit(int).result(TIMEOUT)
        pool.submit(int).result(TIMEOUT)
        settled = WaitableEvent()
        for _ in range(1000):
            if gone() is None:
                break
            settled.wait(0.01)  # a thread lets go of its task after it has told of its end
        assert gone() is None
    finally:
        gc.enable()
