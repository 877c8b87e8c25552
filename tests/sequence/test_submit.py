"""submit: futures of tasks (public contract §8)."""

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait

import pytest

from mojo_seq import SequencedTaskRunner, ThreadPool

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0


class Token:
    """Something a weak reference can be made to."""


def test_submit_returns_a_concurrent_future(runner: SequencedTaskRunner) -> None:
    # Public contract §8: concurrent.futures.Future.
    future = runner.submit(lambda: "result")
    assert isinstance(future, Future)
    assert future.result(TIMEOUT) == "result"


def test_arguments_are_passed(runner: SequencedTaskRunner) -> None:
    # Public contract §8: submit(fn, *args, **kwargs).
    future = runner.submit(lambda *args, **kwargs: (args, kwargs), 1, 2, key="value")
    assert future.result(TIMEOUT) == ((1, 2), {"key": "value"})


@pytest.mark.parametrize("name", ["fn", "self", "delay", "task"])
def test_any_keyword_is_the_functions(runner: SequencedTaskRunner, name: str) -> None:
    # Public contract §8: submit has no keywords of its own.
    assert runner.submit(dict, **{name: 1}).result(TIMEOUT) == {name: 1}


def test_an_exception_is_delivered(runner: SequencedTaskRunner) -> None:
    # Public contract §8: submit delivers the exception, the very object.
    error = LookupError("mine")

    def fail() -> None:
        raise error

    assert runner.submit(fail).exception(TIMEOUT) is error


def test_an_exception_is_not_reported_besides(
    runner: SequencedTaskRunner, caplog: pytest.LogCaptureFixture
) -> None:
    # Public contract §8: delivered instead of logged.
    reported: list[object] = []
    runner.exception_handler = reported.append
    with pytest.raises(ZeroDivisionError):
        runner.submit(lambda: 1 // 0).result(TIMEOUT)
    runner.submit(lambda: None).result(TIMEOUT)
    assert reported == [] and caplog.records == []
    runner.exception_handler = None


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exceptions_that_end_programs_are_delivered_too(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    # Public contract §8: a task that raises never kills its sequence, whatever it raises; and
    # submit delivers instead of reporting.
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()

        def fail() -> None:
            raise error

        assert isinstance(runner.submit(fail).exception(TIMEOUT), error)
        assert runner.submit(lambda: 1).result(TIMEOUT) == 1
        assert caplog.records == []


def test_a_queued_task_can_be_cancelled(runner: SequencedTaskRunner, hold: Hold) -> None:
    # Public contract §8: Future.cancel() of a task that has not started; it never runs.
    ran: list[int] = []
    gate = hold(runner)
    future = runner.submit(ran.append, 1)
    assert future.cancel() is True
    gate.set()
    runner.submit(lambda: None).result(TIMEOUT)
    assert ran == [] and future.cancelled()


def test_a_running_task_cannot_be_cancelled(runner: SequencedTaskRunner) -> None:
    # concurrent.futures: running() is True, cancel() is False.
    started, gate = threading.Event(), threading.Event()

    def task() -> str:
        started.set()
        gate.wait(TIMEOUT)
        return "finished"

    future = runner.submit(task)
    assert started.wait(TIMEOUT)
    assert future.running() and future.cancel() is False
    gate.set()
    assert future.result(TIMEOUT) == "finished"


def test_waiters_for_a_cancelled_future_are_woken(runner: SequencedTaskRunner, hold: Hold) -> None:
    # concurrent.futures: wait() sees it, result() raises CancelledError.
    gate = hold(runner)
    future = runner.submit(print)
    future.cancel()
    gate.set()
    assert wait([future], TIMEOUT).done == {future}
    with pytest.raises(CancelledError):
        future.result(TIMEOUT)


def test_done_callbacks_run(runner: SequencedTaskRunner, hold: Hold) -> None:
    # concurrent.futures: add_done_callback.
    done: Future[int] = Future()
    gate = hold(runner)
    future = runner.submit(lambda: 5)
    future.add_done_callback(lambda finished: done.set_result(finished.result()))
    gate.set()
    assert done.result(TIMEOUT) == 5


def test_a_done_callback_that_raises_does_not_kill_the_sequence(
    runner: SequencedTaskRunner, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    # concurrent.futures logs it; the sequence goes on.
    gate = hold(runner)
    future = runner.submit(lambda: 5)
    future.add_done_callback(lambda finished: 1 // 0)
    gate.set()
    assert runner.submit(lambda: 6).result(TIMEOUT) == 6
    assert "ZeroDivisionError" in caplog.text


def test_submitted_and_posted_tasks_share_the_order(runner: SequencedTaskRunner) -> None:
    # Public contract §8: one sequence, one posting order.
    order: list[int] = []
    for number in range(0, 200, 2):
        runner.post_task(order.append, number)
        runner.submit(order.append, number + 1)
    runner.submit(lambda: None).result(TIMEOUT)
    assert order == list(range(200))


def test_a_future_dropped_unread_is_run_all_the_same(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the future is for the result, not an owner of the task.
    ran: list[int] = []
    runner.submit(ran.append, 1)
    gc.collect()
    runner.submit(lambda: None).result(TIMEOUT)
    assert ran == [1]


def test_the_runner_keeps_neither_arguments_nor_result(runner: SequencedTaskRunner) -> None:
    # Public contract §8: when the task has run, only the future holds the result.
    argument, result = Token(), Token()
    alive = [weakref.ref(argument), weakref.ref(result)]
    results = [result]
    future = runner.submit(lambda token: results.pop(), argument)
    del argument, result
    assert future.result(TIMEOUT) is not None
    runner.submit(lambda: None).result(TIMEOUT)
    assert alive[0]() is None
    del future
    assert alive[1]() is None


def test_the_runner_keeps_no_failed_task(runner: SequencedTaskRunner) -> None:
    # Public contract §8: the exception, its traceback and their locals go with the future.
    token = Token()
    alive = weakref.ref(token)

    def fail(token: Token) -> None:
        raise RuntimeError("with a traceback")

    future = runner.submit(fail, token)
    del token
    assert isinstance(future.exception(TIMEOUT), RuntimeError)
    runner.submit(lambda: None).result(TIMEOUT)
    del future
    gc.collect()
    assert alive() is None


def test_a_cancelled_task_lets_its_arguments_go(runner: SequencedTaskRunner, hold: Hold) -> None:
    # Public contract §8: at the latest when the sequence passes by.
    token = Token()
    alive = weakref.ref(token)
    gate = hold(runner)
    future = runner.submit(lambda token: None, token)
    del token
    assert future.cancel()
    gate.set()
    runner.submit(lambda: None).result(TIMEOUT)
    gc.collect()
    assert alive() is None


def test_argument_references_are_balanced(runner: SequencedTaskRunner) -> None:
    # A thousand tasks leave the reference count of what they were given as it was.
    token = Token()
    before = sys.getrefcount(token)
    futures = [runner.submit(id, token) for _ in range(1000)]
    assert {future.result(TIMEOUT) for future in futures} == {id(token)}
    runner.submit(lambda: None).result(TIMEOUT)
    del futures
    gc.collect()
    assert sys.getrefcount(token) == before
