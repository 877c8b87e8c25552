"""bind_post_task: a callable that posts (public contract §8)."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mojo_seq import (
    MessagePipeHandle,
    Result,
    RunLoop,
    SequencedTaskRunner,
    ShutdownError,
    Signals,
    ThreadPool,
    Watcher,
    bind_post_task,
    create_message_pipe,
)

TIMEOUT = 30.0


def test_calling_it_posts_the_function(runner: SequencedTaskRunner) -> None:
    # Public contract §8: calling it posts fn to runner.
    ran_on: Future[SequencedTaskRunner] = Future()
    bound = bind_post_task(runner, lambda: ran_on.set_result(SequencedTaskRunner.current()))
    assert bound() is None
    assert ran_on.result(TIMEOUT) == runner


def test_arguments_are_passed(runner: SequencedTaskRunner) -> None:
    # Public contract §8: with what it was called with.
    seen: Future[tuple[object, ...]] = Future()
    bind_post_task(runner, lambda *args: seen.set_result(args))(1, "two")
    assert seen.result(TIMEOUT) == (1, "two")


def test_it_never_runs_the_function_at_once() -> None:
    # Public contract §8: it posts, also on the runner's own sequence.
    loop = RunLoop()
    ran: list[int] = []
    bound = bind_post_task(loop.task_runner, ran.append)

    def call() -> None:
        bound(1)
        assert ran == []

    called = loop.task_runner.submit(call)
    loop.run_until_idle()
    called.result(timeout=0)
    assert ran == [1]


def test_it_can_be_called_often_and_from_anywhere(runner: SequencedTaskRunner) -> None:
    # Public contract §8: each call is one task, in the order of the calls.
    seen: list[int] = []
    bound = bind_post_task(runner, seen.append)

    def call() -> None:
        for number in range(500):
            bound(number)

    with ThreadPoolExecutor(1) as executor:
        executor.submit(call).result(TIMEOUT)
    runner.submit(lambda: None).result(TIMEOUT)
    assert seen == list(range(500))


def test_calling_it_after_shutdown_raises() -> None:
    # Public contract §8: posting after shutdown raises ShutdownError.
    with ThreadPool(max_workers=1) as pool:
        bound = bind_post_task(pool.create_sequenced_task_runner(), print)
    with pytest.raises(ShutdownError):
        bound()


def test_only_runners_and_callables_can_be_bound(runner: SequencedTaskRunner) -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        bind_post_task(runner, "not callable")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        bind_post_task("not a runner", print)  # type: ignore[arg-type]


def test_it_brings_a_watchers_notification_to_a_sequence(runner: SequencedTaskRunner) -> None:
    # Public contract §7, §8: what it is for.
    told: list[tuple[object, Result]] = []
    done = threading.Event()

    def on_signal(context: object, result: Result, *rest: object) -> None:
        assert runner.runs_tasks_in_current_sequence()
        told.append((context, result))
        if result is Result.CANCELLED:
            done.set()

    ends: tuple[MessagePipeHandle, MessagePipeHandle] = create_message_pipe()
    with ends[0], ends[1]:
        with Watcher(bind_post_task(runner, on_signal)) as watcher:
            watcher.watch(ends[0], Signals.READABLE, "in")
            watcher.arm()
            ends[1].write(b"x")
        assert done.wait(TIMEOUT)
    assert told == [("in", Result.OK), ("in", Result.CANCELLED)]
