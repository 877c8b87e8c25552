"""Tasks that raise: who is told, and where the task came from (public contract §8)."""

import logging
import re
import sys
import threading
from concurrent.futures import Future
from inspect import currentframe
from typing import NoReturn

import pytest

from mojo_seq import SequencedTaskRunner, TaskError, ThreadPool

TIMEOUT = 30.0
THIS_FILE = re.escape("test_task_errors.py")


def fail(text: str) -> NoReturn:
    raise RuntimeError(text)


def line() -> int:
    """The line of the call."""
    frame = currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


@pytest.fixture
def reported(runner: SequencedTaskRunner) -> Future[TaskError]:
    """The first error that the runner's exception handler is told."""
    future: Future[TaskError] = Future()
    runner.exception_handler = future.set_result
    return future


def test_the_handler_gets_the_exception(
    runner: SequencedTaskRunner, reported: Future[TaskError]
) -> None:
    # Public contract §8: through the runner's exception handler.
    error = RuntimeError("mine")

    def task() -> None:
        raise error

    runner.post_task(task)
    told = reported.result(TIMEOUT)
    assert isinstance(told, TaskError)
    assert told.exception is error and told.runner == runner
    assert error.__traceback__ is not None


def test_the_handler_gets_the_task(
    runner: SequencedTaskRunner, reported: Future[TaskError]
) -> None:
    # Public contract §8: which function it was.
    runner.post_task(fail, "with argument")
    assert reported.result(TIMEOUT).task is fail


def test_the_handler_gets_where_the_task_was_posted_from(
    runner: SequencedTaskRunner, reported: Future[TaskError]
) -> None:
    # Public contract §8: "file:line" of the post, not of the task.
    here = line() + 1
    runner.post_task(fail, "x")
    assert re.search(rf"{THIS_FILE}:{here}$", reported.result(TIMEOUT).posted_from)


def test_a_delayed_task_knows_where_it_was_posted_from(
    runner: SequencedTaskRunner, reported: Future[TaskError]
) -> None:
    # Public contract §8.
    here = line() + 1
    runner.post_delayed_task(0.01, fail, "x")
    assert re.search(rf"{THIS_FILE}:{here}$", reported.result(TIMEOUT).posted_from)


def test_an_asked_task_knows_where_it_was_posted_from(
    runner: SequencedTaskRunner, pool: ThreadPool, reported: Future[TaskError]
) -> None:
    # Public contract §8: post_task_and_reply.
    lines: list[int] = []

    def ask() -> None:
        lines.append(line() + 1)
        runner.post_task_and_reply(lambda: fail("x"), print)

    pool.create_sequenced_task_runner().post_task(ask)
    told = reported.result(TIMEOUT)
    assert re.search(rf"{THIS_FILE}:{lines[0]}$", told.posted_from)


def test_the_handler_runs_on_the_sequence(runner: SequencedTaskRunner) -> None:
    # Public contract §8: it may use what the sequence guards.
    where: Future[SequencedTaskRunner] = Future()
    runner.exception_handler = lambda error: where.set_result(SequencedTaskRunner.current())
    runner.post_task(fail, "x")
    assert where.result(TIMEOUT) == runner


def test_each_error_is_reported_once_and_in_order(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    errors: list[str] = []
    runner.exception_handler = lambda error: errors.append(str(error.exception))
    for number in range(50):
        runner.post_task(fail, str(number))
    runner.submit(lambda: None).result(TIMEOUT)
    assert errors == [str(number) for number in range(50)]


def test_the_default_is_logging(
    runner: SequencedTaskRunner, caplog: pytest.LogCaptureFixture
) -> None:
    # Public contract §8: default: logging with where the task was posted from.
    here = line() + 1
    runner.post_task(fail, "unhandled")
    runner.submit(lambda: None).result(TIMEOUT)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("mojo_seq", logging.ERROR)
    assert re.search(rf"posted from \S*{THIS_FILE}:{here}\b", caplog.text)
    assert "RuntimeError: unhandled" in caplog.text and "Traceback" in caplog.text


def test_a_parallel_task_is_logged_too(pool: ThreadPool, caplog: pytest.LogCaptureFixture) -> None:
    # Public contract §8: ThreadPool.post_task.
    logged = threading.Event()
    logger = logging.getLogger("mojo_seq")

    def notice(record: logging.LogRecord) -> bool:
        logged.set()
        return True

    logger.addFilter(notice)
    here = line() + 1
    pool.post_task(fail, "in parallel")
    assert logged.wait(TIMEOUT)
    logger.removeFilter(notice)
    pool.shutdown()
    assert "RuntimeError: in parallel" in caplog.text
    assert re.search(rf"posted from \S*{THIS_FILE}:{here}\b", caplog.text)


def test_none_restores_the_default(
    runner: SequencedTaskRunner, caplog: pytest.LogCaptureFixture
) -> None:
    # Public contract §8.
    told: list[TaskError] = []
    runner.exception_handler = told.append
    runner.exception_handler = None
    assert runner.exception_handler is None
    runner.post_task(fail, "after reset")
    runner.submit(lambda: None).result(TIMEOUT)
    assert told == [] and "after reset" in caplog.text


def test_the_handler_is_the_runners_own(pool: ThreadPool) -> None:
    # Public contract §8: not the pool's, not the process's.
    first, second = (pool.create_sequenced_task_runner() for _ in range(2))
    told: list[str] = []
    first.exception_handler = lambda error: told.append("first")
    second.exception_handler = lambda error: told.append("second")
    second.post_task(fail, "x")
    second.submit(lambda: None).result(TIMEOUT)
    assert told == ["second"]


def test_the_handler_must_be_callable(runner: SequencedTaskRunner) -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        runner.exception_handler = "log it"  # type: ignore[assignment]


def test_a_handler_that_raises_is_reported_and_kills_nothing(
    runner: SequencedTaskRunner,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Public contract §8: a task that raises never kills its sequence; nothing is swallowed.
    unraisable: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: unraisable.append(str(args.exc_value)))

    def handler(error: TaskError) -> None:
        raise LookupError("in the handler")

    runner.exception_handler = handler
    runner.post_task(fail, "in the task")
    assert runner.submit(lambda: 1).result(TIMEOUT) == 1
    told = caplog.text + "".join(unraisable)
    assert "in the handler" in told


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_no_exception_kills_a_worker(error: type[BaseException]) -> None:
    # Public contract §8: whatever the task raises; one worker would be all there is.
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()
        told: Future[TaskError] = Future()
        runner.exception_handler = told.set_result

        def task() -> None:
            raise error

        runner.post_task(task)
        assert isinstance(told.result(TIMEOUT).exception, error)
        assert runner.submit(lambda: 1).result(TIMEOUT) == 1
