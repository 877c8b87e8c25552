"""post_task_and_reply: the answer comes back to the asking sequence (public contract §8)."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner, TaskError, ThreadPool

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0


def test_task_there_and_reply_here(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: reply(result) runs on the calling sequence; between all kinds.
    replied: Future[tuple[SequencedTaskRunner, SequencedTaskRunner]] = Future()

    def reply(ran_on: SequencedTaskRunner) -> None:
        replied.set_result((ran_on, SequencedTaskRunner.current()))

    def ask() -> None:
        other_runner.post_task_and_reply(SequencedTaskRunner.current, reply)

    runner.post_task(ask)
    assert replied.result(TIMEOUT) == (other_runner, runner)


def test_a_sequence_can_ask_itself(runner: SequencedTaskRunner) -> None:
    # Public contract §8: both run later, as tasks of their own.
    order: list[str] = []
    done = threading.Event()

    def task() -> str:
        order.append("task")
        return "result"

    def reply(result: str) -> None:
        order.append(f"reply with {result}")
        done.set()

    def ask() -> None:
        runner.post_task_and_reply(task, reply)
        order.append("asked")

    runner.post_task(ask)
    assert done.wait(TIMEOUT)
    assert order == ["asked", "task", "reply with result"]


def test_replies_come_in_the_order_of_asking(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: both ways are in posting order.
    replies: list[int] = []
    done = threading.Event()

    def reply(number: int) -> None:
        replies.append(number)
        if number == 199:
            done.set()

    def ask() -> None:
        for number in range(200):
            other_runner.post_task_and_reply(partial(int, number), reply)

    runner.post_task(ask)
    assert done.wait(TIMEOUT)
    assert replies == list(range(200))


def test_outside_a_sequence_it_is_an_error(runner: SequencedTaskRunner) -> None:
    # Public contract §8: RuntimeError, and the task is not run.
    ran: list[int] = []
    with pytest.raises(RuntimeError):
        runner.post_task_and_reply(lambda: ran.append(1), lambda result: None)
    runner.submit(lambda: None).result(TIMEOUT)
    assert ran == []


def test_in_a_parallel_task_of_a_pool_it_is_an_error(pool: ThreadPool) -> None:
    # Public contract §8: a parallel task is on no sequence.
    runner = pool.create_sequenced_task_runner()
    asked = pool.submit(runner.post_task_and_reply, lambda: None, lambda result: None)
    with pytest.raises(RuntimeError):
        asked.result(TIMEOUT)


def test_a_task_that_raises_gets_no_reply(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: if the task raises, no reply, and the exception is reported.
    errors: list[TaskError] = []
    replies: list[object] = []
    reported = threading.Event()

    def handler(error: TaskError) -> None:
        errors.append(error)
        reported.set()

    def fail() -> None:
        raise RuntimeError("no answer")

    other_runner.exception_handler = handler
    runner.post_task(other_runner.post_task_and_reply, fail, replies.append)
    assert reported.wait(TIMEOUT)
    other_runner.submit(lambda: None).result(TIMEOUT)
    runner.submit(lambda: None).result(TIMEOUT)
    assert replies == []
    [error] = errors
    assert str(error.exception) == "no answer" and error.runner == other_runner
    other_runner.exception_handler = None


def test_a_reply_that_raises_is_reported_by_the_asking_sequence(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: the reply is a task of the calling sequence.
    reported: Future[TaskError] = Future()

    def reply(result: object) -> None:
        raise RuntimeError("in the reply")

    runner.exception_handler = reported.set_result
    runner.post_task(other_runner.post_task_and_reply, lambda: None, reply)
    error = reported.result(TIMEOUT)
    assert str(error.exception) == "in the reply" and error.runner == runner
    runner.exception_handler = None


def test_the_reply_is_a_task_of_its_own(runner: SequencedTaskRunner, pool: ThreadPool) -> None:
    # Public contract §8: never inside the asking task, however long that one takes.
    there = pool.create_sequenced_task_runner()
    order: list[str] = []
    done = threading.Event()

    def reply(result: object) -> None:
        order.append("reply")
        done.set()

    def ask() -> None:
        there.post_task_and_reply(lambda: None, reply)
        there.submit(lambda: None).result(TIMEOUT)
        order.append("asking task ends")

    runner.post_task(ask)
    assert done.wait(TIMEOUT)
    assert order == ["asking task ends", "reply"]


def test_only_callables_are_taken(runner: SequencedTaskRunner) -> None:
    # Public contract §1.
    def ask() -> None:
        with pytest.raises(TypeError):
            runner.post_task_and_reply("task", print)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            runner.post_task_and_reply(print, "reply")  # type: ignore[arg-type]

    runner.submit(ask).result(TIMEOUT)


def test_a_reply_to_a_sequence_that_was_shut_down_is_dropped(hold: Hold) -> None:
    # Public contract §8: nobody is there to take it; nothing crashes, nothing hangs.
    replies: list[object] = []
    with ThreadPool(max_workers=1) as there_pool:
        there = there_pool.create_sequenced_task_runner()
        with ThreadPool(max_workers=1) as here_pool:
            here = here_pool.create_sequenced_task_runner()
            gate = hold(there)
            here.submit(there.post_task_and_reply, lambda: 1, replies.append).result(TIMEOUT)
        gate.set()
        there.submit(lambda: None).result(TIMEOUT)
    assert replies == []


def test_asking_a_sequence_that_was_shut_down_raises_at_the_call() -> None:
    # Public contract §8: posting after shutdown.
    with ThreadPool(max_workers=1) as pool:
        gone = pool.create_sequenced_task_runner()
    loop = RunLoop()
    asked = loop.task_runner.submit(gone.post_task_and_reply, lambda: 1, lambda result: None)
    loop.run_until_idle()
    with pytest.raises(RuntimeError):
        asked.result(timeout=0)
