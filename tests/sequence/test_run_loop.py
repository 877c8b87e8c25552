"""RunLoop: the current thread as a sequence (public contract §8)."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner

TIMEOUT = 30.0


def test_run_runs_tasks_on_the_calling_thread_until_quit() -> None:
    # Public contract §8: makes the current thread a sequence while it runs.
    loop = RunLoop()
    threads: list[int] = []
    loop.task_runner.post_task(lambda: threads.append(threading.get_ident()))
    loop.task_runner.post_task(loop.quit)
    loop.run()
    assert threads == [threading.get_ident()]


def test_current_inside_is_the_loops_runner() -> None:
    # Public contract §8: of the running task.
    loop = RunLoop()
    asked = loop.task_runner.submit(SequencedTaskRunner.current)
    loop.run_until_idle()
    assert asked.result(timeout=0) == loop.task_runner


def test_outside_run_the_thread_is_no_sequence() -> None:
    # Public contract §8: only while it runs.
    loop = RunLoop()
    loop.run_until_idle()
    assert not loop.task_runner.runs_tasks_in_current_sequence()
    with pytest.raises(RuntimeError):
        SequencedTaskRunner.current()


def test_the_task_runner_is_always_the_same() -> None:
    # Public contract §8: .task_runner.
    loop = RunLoop()
    assert loop.task_runner == loop.task_runner
    assert isinstance(loop.task_runner, SequencedTaskRunner)


def test_quit_before_run_makes_run_return_at_once() -> None:
    # Public contract §8.
    loop = RunLoop()
    loop.quit()
    loop.run()


def test_tasks_posted_before_run_are_run() -> None:
    # Public contract §8: posting works at any time.
    loop = RunLoop()
    order: list[int] = []
    for number in range(10):
        loop.task_runner.post_task(order.append, number)
    loop.task_runner.post_task(loop.quit)
    loop.run()
    assert order == list(range(10))


def test_quit_on_another_thread_ends_run() -> None:
    # Public contract §8: quit() may be called on any thread, also while run() sleeps.
    loop = RunLoop()
    running = threading.Event()
    loop.task_runner.post_task(running.set)

    def quit_it() -> None:
        assert running.wait(TIMEOUT)
        loop.quit()

    with ThreadPoolExecutor(1) as executor:
        quitting = executor.submit(quit_it)
        loop.run()
        quitting.result(TIMEOUT)


def test_a_post_on_another_thread_wakes_the_loop() -> None:
    # Public contract §8.
    loop = RunLoop()
    order: list[int] = []

    def post() -> None:
        for number in range(1000):
            loop.task_runner.post_task(order.append, number)
        loop.task_runner.post_task(loop.quit)

    with ThreadPoolExecutor(1) as executor:
        posting = executor.submit(post)
        loop.run()
        posting.result(TIMEOUT)
    assert order == list(range(1000))


def test_run_can_be_called_again() -> None:
    # Public contract §8: quit() ends one run.
    loop = RunLoop()
    order: list[int] = []
    for number in range(3):
        loop.task_runner.post_task(order.append, number)
        loop.task_runner.post_task(loop.quit)
        loop.run()
    assert order == [0, 1, 2]


def test_run_until_idle_runs_what_is_posted_meanwhile() -> None:
    # Public contract §8: until there is nothing left to do now.
    loop = RunLoop()
    order: list[str] = []

    def first() -> None:
        order.append("first")
        loop.task_runner.post_task(second)

    def second() -> None:
        order.append("second")
        loop.task_runner.post_task(order.append, "third")

    loop.task_runner.post_task(first)
    loop.run_until_idle()
    assert order == ["first", "second", "third"]


def test_run_until_idle_does_not_wait_for_delayed_tasks() -> None:
    # Public contract §8: idle means no task is due.
    loop = RunLoop()
    ran: list[int] = []
    delayed = loop.task_runner.post_delayed_task(3600, ran.append, 1)
    loop.run_until_idle()
    assert ran == []
    assert delayed.cancel() is True


def test_run_until_idle_of_an_idle_loop_returns() -> None:
    # Public contract §8.
    RunLoop().run_until_idle()


def test_a_delayed_task_wakes_the_loop() -> None:
    # Public contract §8: post_delayed_task.
    loop = RunLoop()
    ran: list[int] = []
    loop.task_runner.post_delayed_task(0.01, ran.append, 1)
    loop.task_runner.post_delayed_task(0.02, loop.quit)
    loop.run()
    assert ran == [1]


def test_a_task_that_raises_does_not_end_run(caplog: pytest.LogCaptureFixture) -> None:
    # Public contract §8: a task that raises never kills its sequence.
    loop = RunLoop()
    ran: list[int] = []

    def fail() -> None:
        raise RuntimeError("on the loop")

    loop.task_runner.post_task(fail)
    loop.task_runner.post_task(ran.append, 1)
    loop.task_runner.post_task(loop.quit)
    loop.run()
    assert ran == [1]
    assert "on the loop" in caplog.text


def test_tasks_not_run_before_quit_are_run_by_the_next_run() -> None:
    # Public contract §8: quit() loses nothing that was accepted.
    loop = RunLoop()
    ran: list[int] = []
    loop.task_runner.post_task(loop.quit)
    loop.task_runner.post_task(ran.append, 1)
    loop.run()
    loop.run_until_idle()
    assert ran == [1]


def test_two_loops_on_two_threads_talk_to_each_other() -> None:
    # Public contract §8: a run loop is a sequence like any other.
    here, there = RunLoop(), RunLoop()
    order: list[int] = []

    def ping(left: int) -> None:
        order.append(left)
        if left:
            there.task_runner.post_task(pong, left)
        else:
            there.quit()
            here.quit()

    def pong(left: int) -> None:
        here.task_runner.post_task(ping, left - 1)

    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(there.run)
        here.task_runner.post_task(ping, 500)
        here.run()
        running.result(TIMEOUT)
    assert order == list(range(500, -1, -1))


def test_a_running_loop_cannot_be_run_again() -> None:
    # Public contract §8: one thread is the sequence; neither its own task nor another thread may.
    loop = RunLoop()

    def nested() -> None:
        with pytest.raises(RuntimeError):
            loop.run()
        with pytest.raises(RuntimeError):
            loop.run_until_idle()
        with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError):
            executor.submit(loop.run).result(TIMEOUT)

    tried = loop.task_runner.submit(nested)
    loop.run_until_idle()
    tried.result(timeout=0)


def test_another_loop_can_be_run_inside_a_task() -> None:
    # Public contract §8: current() is of the running task, and the outer one's again after it.
    outer, inner = RunLoop(), RunLoop()

    def task() -> list[SequencedTaskRunner]:
        asked = inner.task_runner.submit(SequencedTaskRunner.current)
        inner.run_until_idle()
        return [asked.result(timeout=0), SequencedTaskRunner.current()]

    asked = outer.task_runner.submit(task)
    outer.run_until_idle()
    assert asked.result(timeout=0) == [inner.task_runner, outer.task_runner]


def test_futures_of_a_dropped_loop_are_cancelled() -> None:
    # Public contract §8: a future always ends; what nobody will ever run is skipped.
    loop = RunLoop()
    future = loop.task_runner.submit(lambda: 1)
    del loop
    gc.collect()
    assert future.cancelled()
