"""The pool's futures: states, cancelling, callbacks, timeouts, exceptions and where they were."""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from concurrent.futures import CancelledError, Future
from typing import Any

import executor_tasks as tasks
import pytest
from gate import Gate, pass_and_fail, pass_through
from polling import eventually

from mojo_seq import ProcessPool

TIMEOUT = 30.0


# --- states ---


def test_the_states_of_one_that_runs(pool: ProcessPool, gate: Gate) -> None:
    future = pool.submit(pass_through, gate.path, 5)
    gate.next_begun()
    eventually(future.running)
    assert not future.done() and not future.cancelled()
    assert not future.cancel()
    gate.open()
    assert future.result(TIMEOUT) == 5
    assert future.done() and not future.running() and not future.cancelled()
    assert not future.cancel()
    assert future.exception(TIMEOUT) is None


def test_the_states_of_one_that_waits_its_turn(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path)
        gate.next_begun()
        second = pool.submit(pass_through, gate.path)
        assert not second.running() and not second.done() and not second.cancelled()
        assert second.cancel() and second.cancel()
        assert second.cancelled() and second.done() and not second.running()
        gate.open()
        first.result(TIMEOUT)
    assert gate.none_has_begun()


@pytest.mark.parametrize("number", [1, 2, 40, 199])
def test_any_of_many_can_be_cancelled_as_long_as_it_has_not_begun(gate: Gate, number: int) -> None:
    """Also those that may have been sent to a worker already."""
    with ProcessPool(1) as pool, gate:
        futures = [pool.submit(pass_through, gate.path, order) for order in range(200)]
        gate.next_begun()
        assert futures[number].cancel()
        gate.open()
        del futures[number]
        results = [future.result(TIMEOUT) for future in futures]
    assert number not in results and len(results) == 199


def test_the_repr_says_the_state(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        future = pool.submit(pass_through, gate.path, 5)
        gate.next_begun()
        eventually(lambda: "running" in repr(future))
        waiting = pool.submit(len, "abc")
        assert "pending" in repr(waiting)
        waiting.cancel()
        assert "cancelled" in repr(waiting)
        gate.open()
        future.result(TIMEOUT)
        assert "done" in repr(future)
        failed = pool.submit(tasks.fail, OSError)
        failed.exception(TIMEOUT)
        assert "OSError" in repr(failed)


def test_timeouts(pool: ProcessPool, gate: Gate) -> None:
    future = pool.submit(pass_through, gate.path)
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError):
            future.result(timeout)
        with pytest.raises(TimeoutError):
            future.exception(timeout)
    gate.open()
    future.result(TIMEOUT)


def test_who_waits_for_a_cancelled_one_is_told(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path)
        gate.next_begun()
        second = pool.submit(pass_through, gate.path)
        timer = threading.Timer(0.02, second.cancel)
        timer.start()
        with pytest.raises(CancelledError):
            second.result(TIMEOUT)
        timer.join()
        with pytest.raises(CancelledError):
            second.exception(TIMEOUT)
        gate.open()
        first.result(TIMEOUT)


# --- callbacks ---


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("outcome", ["result", "exception", "cancelled", "death"])
def test_callbacks_are_called_once_with_the_future(gate: Gate, when: str, outcome: str) -> None:
    called: list[Future[Any]] = []
    with ProcessPool(1) as pool, gate:
        blocking = pool.submit(pass_through, gate.path)
        gate.next_begun()
        future: Future[Any]
        match outcome:
            case "exception":
                future = pool.submit(pass_and_fail, gate.path, "why")
            case "death":
                future = pool.submit(tasks.die_by_exit)
            case _:
                future = pool.submit(pass_through, gate.path)
        if when == "before":
            future.add_done_callback(called.append)
            assert not called
        if outcome == "cancelled":
            future.cancel()
        gate.open()
        blocking.result(TIMEOUT)
        eventually(future.done)
        if when == "after":
            future.add_done_callback(called.append)
            assert called == [future]
    assert called == [future]


def test_a_callback_that_raises_is_logged_and_harms_nobody(
    pool: ProcessPool, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    future = pool.submit(pass_through, gate.path)
    called: list[object] = []
    future.add_done_callback(called.append)
    future.add_done_callback(lambda _: tasks.fail(ValueError, "in a callback"))
    future.add_done_callback(called.append)
    with caplog.at_level(logging.CRITICAL, "concurrent.futures"):
        gate.open()
        eventually(lambda: len(called) == 2)
    assert pool.submit(len, "abc").result(TIMEOUT) == 3


def test_a_callback_may_submit_and_shut_down(gate: Gate) -> None:
    pool = ProcessPool(1)
    results: list[object] = []
    ended = threading.Event()

    def go_on(future: Future[Any]) -> None:
        if len(results) < 5:
            results.append(future.result())
            pool.submit(tasks.multiply, future.result(), 2).add_done_callback(go_on)
        else:
            pool.shutdown(wait=False)
            ended.set()

    pool.submit(tasks.multiply, 1, 1).add_done_callback(go_on)
    assert ended.wait(TIMEOUT)
    pool.shutdown()
    assert results == [1, 2, 4, 8, 16]


# --- exceptions ---


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, Warning]
)
def test_exceptions_of_all_kinds_arrive(pool: ProcessPool, error: type[BaseException]) -> None:
    """And the worker goes on, whatever it was."""
    pid = pool.submit(tasks.pid_of).result(TIMEOUT)
    caught = pool.submit(tasks.fail, error, 17).exception(TIMEOUT)
    assert type(caught) is error and caught.args == (17,)
    assert pool.submit(tasks.pid_of).result(TIMEOUT) == pid


def test_an_exception_says_where_it_was(pool: ProcessPool) -> None:
    future = pool.submit(tasks.divide, 1, 0)
    with pytest.raises(ZeroDivisionError) as caught:
        future.result(TIMEOUT)
    assert caught.value.__cause__ is not None
    assert "return x / y  # this line is seen in tracebacks" in str(caught.value.__cause__)
    shown = "".join(traceback.format_exception(caught.value))
    assert "return x / y  # this line is seen in tracebacks" in shown
    assert shown.rstrip().endswith("ZeroDivisionError: division by zero")


def test_an_exception_says_what_was_behind_it(pool: ProcessPool) -> None:
    error = pool.submit(tasks.fail_chained).exception(TIMEOUT)
    shown = "".join(traceback.format_exception(error))
    assert re.search("the first.*direct cause.*the second", shown, re.DOTALL)


def test_an_exception_that_is_the_result_is_not_raised(pool: ProcessPool) -> None:
    assert str(pool.submit(ValueError, "a value").result(TIMEOUT)) == "a value"


def test_a_later_task_does_not_see_the_one_before(pool: ProcessPool) -> None:
    pool.submit(tasks.divide, 1, 0).exception(TIMEOUT)
    assert pool.submit(sys.exc_info).result(TIMEOUT) == (None, None, None)
