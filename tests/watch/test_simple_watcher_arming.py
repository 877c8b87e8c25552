"""SimpleWatcher's arming policies (public contract §9, system rules §10)."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from mojo_seq import (
    ArmingPolicy,
    MessagePipe,
    NotFoundError,
    ReadyWatch,
    Result,
    RunLoop,
    Signals,
    SignalsState,
    SimpleWatcher,
)

T = TypeVar("T")


@pytest.fixture
def loop() -> RunLoop:
    return RunLoop()


def run_on(loop: RunLoop, step: Callable[[], T]) -> T:
    """Runs step as a task of the loop, then whatever it caused to be posted."""
    future = loop.task_runner.submit(step)
    loop.run_until_idle()
    return future.result(timeout=0)


@pytest.fixture
def results() -> list[Result]:
    """What the callbacks of the test were told; they read nothing."""
    return []


@pytest.fixture
def automatic(loop: RunLoop, pipe: MessagePipe, results: list[Result]) -> Iterator[SimpleWatcher]:
    watcher = SimpleWatcher(ArmingPolicy.AUTOMATIC, loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        if result == Result.OK:
            pipe.handle0.read()

    run_on(loop, lambda: watcher.watch(pipe.handle0, Signals.READABLE, callback))
    yield watcher
    run_on(loop, watcher.close)


@pytest.fixture
def manual(loop: RunLoop, pipe: MessagePipe, results: list[Result]) -> Iterator[SimpleWatcher]:
    watcher = SimpleWatcher(ArmingPolicy.MANUAL, loop.task_runner)
    run_on(
        loop,
        lambda: watcher.watch(
            pipe.handle0, Signals.READABLE, lambda result, state: results.append(result)
        ),
    )
    yield watcher
    run_on(loop, watcher.close)


def test_automatic_is_the_default(loop: RunLoop, pipe: MessagePipe, results: list[Result]) -> None:
    # Public contract §9.
    pipe.handle1.write(b"x")

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        watcher.cancel()

    watcher = SimpleWatcher(task_runner=loop.task_runner)
    run_on(loop, lambda: watcher.watch(pipe.handle0, Signals.READABLE, callback))
    assert results == [Result.OK]


def test_automatic_rearms_after_each_callback(
    loop: RunLoop, pipe: MessagePipe, automatic: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10.
    for _ in range(5):
        run_on(loop, lambda: pipe.handle1.write(b"x"))
    assert results == [Result.OK] * 5
    assert automatic.is_watching


def test_automatic_goes_on_while_something_is_left(
    loop: RunLoop, pipe: MessagePipe, automatic: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10: re-arming finds the handle still readable and posts another callback.
    run_on(loop, lambda: pipe.handle1.write_batch([b"x"] * 10))
    assert results == [Result.OK] * 10


def test_failed_precondition_is_delivered_once(
    loop: RunLoop, pipe: MessagePipe, automatic: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10, public contract §9: once per watch, and it goes on "watching".
    run_on(loop, pipe.handle1.close)
    run_on(loop, lambda: None)
    assert results == [Result.FAILED_PRECONDITION]
    assert automatic.is_watching and automatic.handle is pipe.handle0


def test_failed_precondition_is_delivered_again_to_a_new_watch(
    loop: RunLoop, pipe: MessagePipe, automatic: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10: the guard is per watch.
    run_on(loop, pipe.handle1.close)

    def watch_again() -> None:
        automatic.cancel()
        automatic.watch(
            pipe.handle0, Signals.READABLE, lambda result, state: results.append(result)
        )

    run_on(loop, watch_again)
    assert results == [Result.FAILED_PRECONDITION] * 2


def test_after_failed_precondition_closing_the_handle_still_cancels(
    loop: RunLoop, pipe: MessagePipe, automatic: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10: handle closed while watching, even when disarmed.
    run_on(loop, pipe.handle1.close)
    run_on(loop, pipe.handle0.close)
    assert results == [Result.FAILED_PRECONDITION, Result.CANCELLED]
    assert not automatic.is_watching


def test_queued_messages_come_before_failed_precondition(
    loop: RunLoop, pipe: MessagePipe, automatic: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §8.1: readable until drained.
    def step() -> None:
        pipe.handle1.write_batch([b"x"] * 3)
        pipe.handle1.close()

    run_on(loop, step)
    assert results == [Result.OK] * 3 + [Result.FAILED_PRECONDITION]


def test_a_callback_that_raises_does_not_end_the_watch(
    loop: RunLoop, pipe: MessagePipe, caplog: pytest.LogCaptureFixture
) -> None:
    # Public contract §8: a task that raises never kills its sequence; §10: re-arms after each.
    results: list[Result] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        pipe.handle0.read()
        raise RuntimeError("from the callback")

    run_on(loop, lambda: watcher.watch(pipe.handle0, Signals.READABLE, callback))
    for _ in range(2):
        run_on(loop, lambda: pipe.handle1.write(b"x"))
    assert results == [Result.OK, Result.OK]
    assert caplog.text.count("RuntimeError: from the callback") == 2
    run_on(loop, watcher.close)


def test_manual_is_silent_until_armed(
    loop: RunLoop, pipe: MessagePipe, manual: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10: only after an explicit arm.
    run_on(loop, lambda: pipe.handle1.write(b"x"))
    assert results == []


def test_manual_arm_returns_none_when_armed(
    loop: RunLoop, pipe: MessagePipe, manual: SimpleWatcher, results: list[Result]
) -> None:
    # Public contract §9: None = armed; each delivery disarms.
    assert run_on(loop, manual.arm) is None
    run_on(loop, lambda: pipe.handle1.write(b"x"))
    run_on(loop, lambda: pipe.handle1.write(b"y"))
    assert results == [Result.OK]


def test_manual_arm_reports_what_is_ready_without_a_callback(
    loop: RunLoop, pipe: MessagePipe, manual: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10.
    run_on(loop, lambda: pipe.handle1.write(b"x"))
    ready = run_on(loop, manual.arm)
    assert isinstance(ready, ReadyWatch)
    assert ready.result == Result.OK and ready.state.readable
    assert results == []


def test_manual_arm_reports_the_impossible(
    loop: RunLoop, pipe: MessagePipe, manual: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10: ready_result may be FAILED_PRECONDITION.
    run_on(loop, pipe.handle1.close)
    ready = run_on(loop, manual.arm)
    assert ready is not None and ready.result == Result.FAILED_PRECONDITION
    assert results == []


def test_arm_without_a_watch_is_not_found(loop: RunLoop) -> None:
    # System rules §10.
    def step() -> None:
        watcher = SimpleWatcher(ArmingPolicy.MANUAL)
        with pytest.raises(NotFoundError):
            watcher.arm()

    run_on(loop, step)


def test_arm_or_notify_without_a_watch_does_nothing(loop: RunLoop) -> None:
    # System rules §10: a no-op.
    def step() -> None:
        SimpleWatcher(ArmingPolicy.MANUAL).arm_or_notify()

    run_on(loop, step)


def test_arm_or_notify_posts_one_callback_when_ready(
    loop: RunLoop, pipe: MessagePipe, manual: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10: ready -> posts one callback task, and is not armed after it.
    def step() -> None:
        pipe.handle1.write(b"x")
        manual.arm_or_notify()
        assert results == []

    run_on(loop, step)
    assert results == [Result.OK]
    run_on(loop, lambda: pipe.handle1.write(b"y"))
    assert results == [Result.OK]


def test_arm_or_notify_arms_when_nothing_is_ready(
    loop: RunLoop, pipe: MessagePipe, manual: SimpleWatcher, results: list[Result]
) -> None:
    # System rules §10.
    run_on(loop, manual.arm_or_notify)
    assert results == []
    run_on(loop, lambda: pipe.handle1.write(b"x"))
    assert results == [Result.OK]


def test_manual_may_be_armed_in_its_callback(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10: read, arm, return; the next message calls again.
    results: list[Result] = []
    watcher = SimpleWatcher(ArmingPolicy.MANUAL, loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        pipe.handle0.read()
        assert watcher.arm() is None

    def step() -> None:
        watcher.watch(pipe.handle0, Signals.READABLE, callback)
        watcher.arm()

    run_on(loop, step)
    for _ in range(3):
        run_on(loop, lambda: pipe.handle1.write(b"x"))
    assert results == [Result.OK] * 3
    run_on(loop, watcher.close)
