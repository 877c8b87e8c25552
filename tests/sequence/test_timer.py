"""OneShotTimer and RepeatingTimer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from mojo_seq import (
    InvalidArgumentError,
    OneShotTimer,
    RepeatingTimer,
    SequencedTaskRunner,
    ShutdownError,
    TaskHandle,
)
from mojo_seq.sequence import timer as timer_module

KINDS = [OneShotTimer, RepeatingTimer]


class FakeRunner(SequencedTaskRunner):
    """A sequence with a clock of its own, that is always the current one."""

    def __init__(self) -> None:
        self.exception_handler = None
        self.now = 1000.0
        self.calls: list[FakeTask] = []

    def post_task(self, fn: Callable[..., object], /, *args: object) -> None:
        raise NotImplementedError

    def post_task_and_reply(self, task: Any, reply: Any) -> None:
        raise NotImplementedError

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def runs_tasks_in_current_sequence(self) -> bool:
        return True

    def post_delayed_task(
        self, delay: float, fn: Callable[..., object], /, *args: object
    ) -> TaskHandle:
        assert delay >= 0
        task = FakeTask(self, self.now + delay, fn)
        self.calls.append(task)
        return cast(TaskHandle, task)

    def run(self, until: float) -> None:
        """Runs what is due, each call at its time."""
        while due := [each for each in self.calls if each.due <= until + 1e-9]:
            task = min(due, key=lambda each: each.due)
            self.calls.remove(task)
            self.now = max(self.now, task.due)
            task.fn()
        self.now = max(self.now, until)


class FakeTask:
    def __init__(self, runner: FakeRunner, due: float, fn: Callable[..., object]) -> None:
        self.runner, self.due, self.fn = runner, due, fn

    def cancel(self) -> bool:
        if self not in self.runner.calls:
            return False
        self.runner.calls.remove(self)
        return True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    made = FakeRunner()
    monkeypatch.setattr(timer_module, "_clock", lambda: made.now)
    return made


def test_one_shot_calls_once(fake: FakeRunner) -> None:
    calls = list[tuple[float, str]]()
    timer = OneShotTimer(task_runner=fake)
    assert not timer.is_running and timer.delay == 0.0 and timer.task_runner is fake
    timer.start(5, lambda name: calls.append((fake.now, name)), "x")
    assert timer.is_running and timer.delay == 5.0
    fake.run(1004.9)
    assert calls == []
    fake.run(2000)
    assert calls == [(1005.0, "x")] and not timer.is_running
    with pytest.raises(RuntimeError, match="not started"):
        timer.reset()


def test_stop_cancels(fake: FakeRunner) -> None:
    for kind in KINDS:
        timer = kind(task_runner=fake)
        timer.stop()
        timer.start(5, pytest.fail)
        timer.stop()
        timer.stop()
        assert not timer.is_running and fake.calls == []
        with pytest.raises(RuntimeError, match="not started"):
            timer.reset()


def test_start_starts_anew(fake: FakeRunner) -> None:
    def note(calls: list[float], begun: float) -> None:
        calls.append(fake.now - begun)

    for kind in KINDS:
        calls = list[float]()
        timer = kind(task_runner=fake)
        begun = fake.now
        timer.start(5, pytest.fail)
        fake.run(begun + 4)
        timer.start(2, note, calls, begun)
        assert len(fake.calls) == 1
        fake.run(begun + 7)
        assert calls == [6.0]
        timer.stop()


def test_reset_begins_the_delay_anew(fake: FakeRunner) -> None:
    def note(calls: list[float], begun: float) -> None:
        calls.append(fake.now - begun)

    for kind in KINDS:
        calls = list[float]()
        timer = kind(task_runner=fake)
        begun = fake.now
        timer.start(5, note, calls, begun)
        for _ in range(3):
            fake.run(fake.now + 4)
            timer.reset()
        fake.run(begun + 17.5)
        assert calls == [17.0]
        timer.stop()


def test_repeating_does_not_drift(fake: FakeRunner) -> None:
    calls = list[float]()

    def call() -> None:
        calls.append(fake.now)
        fake.now += 0.03  # each is late for the next, a little

    timer = RepeatingTimer(task_runner=fake)
    timer.start(0.1, call)
    fake.run(1000.0 + 100.05)
    assert len(calls) == 1000
    assert all(abs(at - 1000 - 0.1 * n) < 1e-6 for n, at in enumerate(calls, 1))
    timer.stop()


def test_missed_calls_do_not_pile_up(fake: FakeRunner) -> None:
    calls = list[float]()

    def call() -> None:
        calls.append(fake.now - 1000)
        if len(calls) == 2:
            fake.now += 35.0

    timer = RepeatingTimer(task_runner=fake)
    timer.start(10, call)
    fake.run(1080)
    # The one that was due at 30 came late, those at 40 and 50 not at all.
    assert calls == [10.0, 20.0, 55.0, 60.0, 70.0, 80.0]
    timer.stop()


def test_a_clock_that_is_early_calls_no_tick_twice(fake: FakeRunner) -> None:
    ticks = list[float]()
    timer = RepeatingTimer(task_runner=fake)
    timer.start(1, lambda: ticks.append(fake.now))
    for n in range(1, 50):
        fake.now = 1000 + n - 1e-7
        (task,) = fake.calls
        fake.calls.clear()
        task.fn()
        assert abs(fake.calls[0].due - (1001 + n)) < 1e-6
    assert len(ticks) == 49
    timer.stop()


def test_a_callback_may_stop_and_start_its_timer(fake: FakeRunner) -> None:
    calls = list[str]()
    one_shot, repeating = OneShotTimer(task_runner=fake), RepeatingTimer(task_runner=fake)

    def again() -> None:
        calls.append("one-shot")
        if len(calls) < 3:
            one_shot.start(1, again)

    one_shot.start(1, again)
    fake.run(fake.now + 10)
    assert calls == ["one-shot"] * 3 and not one_shot.is_running

    def last() -> None:
        calls.append("repeating")
        repeating.stop()

    repeating.start(1, last)
    fake.run(fake.now + 10)
    assert calls[3:] == ["repeating"] and not repeating.is_running


def test_a_bad_start_changes_nothing(fake: FakeRunner) -> None:
    for kind in KINDS:
        calls = list[int]()
        timer = kind(task_runner=fake)
        timer.start(1, calls.append, 1)
        with pytest.raises(TypeError, match="callback must be callable"):
            timer.start(1, None)  # type: ignore[arg-type]
        if kind is RepeatingTimer:
            for delay in (0, -1.0, float("nan")):
                with pytest.raises(InvalidArgumentError):
                    timer.start(delay, pytest.fail)
        assert timer.delay == 1.0
        fake.run(fake.now + 1)
        assert calls == [1]
        timer.stop()


def test_the_last_tick_at_a_shutdown_is_still_made(fake: FakeRunner) -> None:
    calls = list[int]()
    timer = RepeatingTimer(task_runner=fake)
    timer.start(1, calls.append, 1)
    (task,) = fake.calls

    def refuse(delay: float, fn: Callable[..., object], /, *args: object) -> TaskHandle:
        raise ShutdownError("on purpose")

    fake.post_delayed_task = refuse  # type: ignore[method-assign]
    fake.calls.clear()
    task.fn()
    assert calls == [1] and not timer.is_running


def test_it_tells_what_it_is(fake: FakeRunner) -> None:
    timer = OneShotTimer(task_runner=fake)
    assert repr(timer) == "<OneShotTimer stopped delay=0.0>"
    timer.start(2, print)
    assert repr(timer) == "<OneShotTimer running delay=2.0>"
    assert repr(timer) in repr(fake.calls[0].fn)
