"""SimpleWatcher: how a watch ends (public contract §9, system rules §10)."""

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from mojo_seq import (
    ArmingPolicy,
    MessagePipe,
    Result,
    RunLoop,
    Signals,
    SignalsState,
    SimpleWatcher,
    ThreadPool,
)

T = TypeVar("T")
MakePipe = Callable[[], MessagePipe]
TIMEOUT = 30.0


@pytest.fixture
def loop() -> RunLoop:
    """The sequence of the watchers in these tests, on the test's own thread."""
    return RunLoop()


def run_on(loop: RunLoop, step: Callable[[], T]) -> T:
    """Runs step as a task of the loop, then whatever it caused to be posted."""
    future = loop.task_runner.submit(step)
    loop.run_until_idle()
    return future.result(timeout=0)


def test_cancel_tells_nobody(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10: no CANCELLED callback; idempotent.
    results: list[Result] = []

    def step() -> None:
        watcher = SimpleWatcher()
        watcher.watch(pipe.handle0, Signals.READABLE, lambda result, state: results.append(result))
        watcher.cancel()
        watcher.cancel()
        pipe.handle1.write(b"x")

    run_on(loop, step)
    assert results == []


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_after_cancel_a_posted_callback_does_not_run(
    loop: RunLoop, pipe: MessagePipe, how: str
) -> None:
    # System rules §10: no callback, ever, including ones already posted.
    results: list[Result] = []

    def step() -> None:
        watcher = SimpleWatcher()
        watcher.watch(pipe.handle0, Signals.READABLE, lambda result, state: results.append(result))
        pipe.handle1.write(b"x")
        getattr(watcher, how)()

    run_on(loop, step)
    assert results == []


def test_a_posted_callback_of_an_old_watch_is_not_given_to_the_new_one(
    loop: RunLoop, make_pipe: MakePipe
) -> None:
    # System rules §10: a stale watch id.
    first, second = make_pipe(), make_pipe()
    results: list[str] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def step() -> None:
        watcher.watch(first.handle0, Signals.READABLE, lambda *rest: results.append("first"))
        first.handle1.write(b"x")
        watcher.cancel()
        watcher.watch(second.handle0, Signals.READABLE, lambda *rest: results.append("second"))

    run_on(loop, step)
    assert results == []
    run_on(loop, watcher.close)


@pytest.mark.parametrize("policy", list(ArmingPolicy))
def test_closing_the_handle_gives_one_cancelled(
    loop: RunLoop, pipe: MessagePipe, policy: ArmingPolicy
) -> None:
    # System rules §10: one CANCELLED callback, posted, even when disarmed.
    results: list[Result] = []
    watcher = SimpleWatcher(policy, loop.task_runner)

    def step() -> None:
        watcher.watch(pipe.handle0, Signals.READABLE, lambda result, state: results.append(result))
        pipe.handle0.close()
        assert results == []

    run_on(loop, step)
    assert results == [Result.CANCELLED]


def test_the_state_is_cleared_before_the_cancelled_callback(
    loop: RunLoop, make_pipe: MakePipe
) -> None:
    # System rules §10: so that the callback may watch again.
    first, second = make_pipe(), make_pipe()
    results: list[tuple[str, Result]] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def on_second(result: Result, state: SignalsState) -> None:
        results.append(("second", result))
        second.handle0.read()

    def on_first(result: Result, state: SignalsState) -> None:
        results.append(("first", result))
        assert not watcher.is_watching and watcher.handle is None
        watcher.watch(second.handle0, Signals.READABLE, on_second)

    run_on(loop, lambda: watcher.watch(first.handle0, Signals.READABLE, on_first))
    run_on(loop, first.handle0.close)
    run_on(loop, lambda: second.handle1.write(b"x"))
    assert results == [("first", Result.CANCELLED), ("second", Result.OK)]
    run_on(loop, watcher.close)


def test_handle_closed_then_cancel_gives_no_callback(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10 (CloseAndCancel).
    results: list[Result] = []

    def step() -> None:
        watcher = SimpleWatcher()
        watcher.watch(pipe.handle0, Signals.READABLE, lambda result, state: results.append(result))
        pipe.handle0.close()
        watcher.cancel()

    run_on(loop, step)
    assert results == []


def test_cancel_inside_the_callback_is_safe(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10: and nothing comes after, although the handle is still readable.
    results: list[Result] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        watcher.cancel()
        assert not watcher.is_watching

    run_on(loop, lambda: watcher.watch(pipe.handle0, Signals.READABLE, callback))
    run_on(loop, lambda: pipe.handle1.write(b"x"))
    run_on(loop, lambda: pipe.handle1.write(b"y"))
    assert results == [Result.OK]


def test_nothing_comes_after_cancel_on_the_sequence_while_others_write(pipe: MessagePipe) -> None:
    # Public contract §9: after cancel() returned on that sequence, never again.
    with ThreadPool(max_workers=2) as pool:
        runner = pool.create_sequenced_task_runner()
        for _ in range(30):
            late: list[Result] = []
            over = threading.Event()
            watcher = SimpleWatcher(task_runner=runner)

            def callback(
                result: Result,
                state: SignalsState,
                late: list[Result] = late,
                over: threading.Event = over,
            ) -> None:
                pipe.handle0.read_batch()
                if over.is_set():
                    late.append(result)

            def end(watcher: SimpleWatcher = watcher, over: threading.Event = over) -> None:
                watcher.cancel()
                over.set()

            runner.submit(watcher.watch, pipe.handle0, Signals.READABLE, callback).result(TIMEOUT)
            ended = runner.submit(end)
            while not ended.done():
                pipe.handle1.write(b"x")
            runner.submit(watcher.close).result(TIMEOUT)
            assert late == []
            pipe.handle0.read_batch(2**20)
