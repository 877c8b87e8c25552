"""RunLoop in a TaskEnvironment. Public contract §8, §13."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner, ThreadPool
from mojo_seq.testing import DeadlockError, TaskEnvironment

TIMEOUT = 30.0


def test_its_tasks_run_in_run_only(env: TaskEnvironment) -> None:
    loop = RunLoop()
    order: list[int] = []
    for number in range(3):
        loop.task_runner.post_task(order.append, number)
    env.run_until_idle()
    env.advance(1)
    assert order == []
    loop.task_runner.post_task(loop.quit)
    loop.run()
    assert order == [0, 1, 2]


def test_the_pools_run_meanwhile(env: TaskEnvironment) -> None:
    loop = RunLoop()
    worker = ThreadPool().create_sequenced_task_runner()
    got: list[tuple[int, bool]] = []

    def ask() -> None:
        worker.post_task_and_reply(lambda: 42, answered)

    def answered(answer: int) -> None:
        got.append((answer, loop.task_runner.runs_tasks_in_current_sequence()))
        loop.quit()

    loop.task_runner.post_task(ask)
    loop.run()
    assert got == [(42, True)]


def test_quit_ends_it_after_the_task_that_it_is_in(env: TaskEnvironment) -> None:
    loop = RunLoop()
    order: list[int] = []
    loop.task_runner.post_task(order.append, 1)
    loop.task_runner.post_task(loop.quit)
    loop.task_runner.post_task(order.append, 2)
    loop.run()
    assert order == [1]
    loop.run_until_idle()
    assert order == [1, 2]


def test_quit_before_run(env: TaskEnvironment) -> None:
    loop = RunLoop()
    ran: list[int] = []
    loop.task_runner.post_task(ran.append, 1)
    loop.quit()
    loop.quit()
    loop.run()
    assert ran == []
    loop.run_until_idle()
    assert ran == [1]


def test_quit_of_another_sequence_or_thread(env: TaskEnvironment) -> None:
    loop = RunLoop()
    ThreadPool().create_sequenced_task_runner().post_delayed_task(5, loop.quit)
    loop.run()
    assert env.now() == 5.0
    running = threading.Event()
    loop.task_runner.post_task(running.set)

    def quit_it() -> None:
        assert running.wait(TIMEOUT)
        loop.quit()

    with ThreadPoolExecutor(1) as executor:
        quitting = executor.submit(quit_it)
        loop.run()
        quitting.result(TIMEOUT)


def test_run_until_idle_does_not_wait_for_delayed_tasks(env: TaskEnvironment) -> None:
    loop = RunLoop()
    ran: list[int] = []
    loop.task_runner.post_delayed_task(1, ran.append, 1)
    loop.task_runner.post_task(loop.task_runner.post_task, ran.append, 0)
    loop.run_until_idle()
    assert ran == [0]
    env.advance(2)  # it is due, but nobody runs the loop
    assert ran == [0]
    loop.run_until_idle()
    assert ran == [0, 1]


def test_it_cannot_be_run_twice_at_once(env: TaskEnvironment) -> None:
    loop = RunLoop()
    tried = loop.task_runner.submit(loop.run)
    loop.task_runner.post_task(loop.quit)
    loop.run()
    with pytest.raises(RuntimeError, match="running already"):
        tried.result(timeout=0)


def test_another_loop_can_be_run_inside_a_task(env: TaskEnvironment) -> None:
    outer, inner = RunLoop(), RunLoop()

    def task() -> list[SequencedTaskRunner]:
        asked = inner.task_runner.submit(SequencedTaskRunner.current)
        inner.run_until_idle()
        return [asked.result(timeout=0), SequencedTaskRunner.current()]

    asked = outer.task_runner.submit(task)
    outer.run_until_idle()
    assert asked.result(timeout=0) == [inner.task_runner, outer.task_runner]


def test_a_loop_that_nobody_quits_is_noticed(env: TaskEnvironment) -> None:
    loop = RunLoop()
    loop.task_runner.post_task(int)
    with pytest.raises(DeadlockError, match=r"the quit\(\) of a RunLoop"):
        loop.run()
    loop.task_runner.post_task(loop.quit)
    loop.run()


def test_another_thread_cannot_run_it(env: TaskEnvironment) -> None:
    loop = RunLoop()
    with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match="on its thread"):
        executor.submit(loop.run).result(TIMEOUT)


def test_what_a_loop_never_ran_is_dropped() -> None:
    with TaskEnvironment():
        loop = RunLoop()
        future = loop.task_runner.submit(int)
        handle = loop.task_runner.post_delayed_task(1, int)
    assert future.cancelled()
    assert not handle.cancel()
    with pytest.raises(RuntimeError):
        loop.task_runner.post_task(int)
