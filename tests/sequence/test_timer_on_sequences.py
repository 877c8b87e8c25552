"""OneShotTimer and RepeatingTimer on real sequences, on mock time, and in actors."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    Actor,
    ActorSystem,
    AsyncioTaskRunner,
    InvalidArgumentError,
    OneShotTimer,
    RepeatingTimer,
    SequencedTaskRunner,
    ShutdownError,
    ThreadPool,
)
from mojo_seq.testing import TaskEnvironment

TIMEOUT = 30.0
FOREVER = 3600.0
Timer = OneShotTimer | RepeatingTimer
KINDS = [OneShotTimer, RepeatingTimer]


def on_sequence(runner: SequencedTaskRunner, fn: Callable[..., Any], *args: Any) -> Any:
    return runner.submit(fn, *args).result(TIMEOUT)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_delays_on_a_real_sequence(pool: ThreadPool, kind: type[Timer]) -> None:
    runner = pool.create_sequenced_task_runner()
    timer = kind(task_runner=runner)
    for delay in (float("inf"), float("nan")):
        with pytest.raises(InvalidArgumentError):
            on_sequence(runner, timer.start, delay, pytest.fail)
    with pytest.raises(TypeError):
        on_sequence(runner, timer.start, "soon", pytest.fail)
    assert not timer.is_running
    with pytest.raises(TypeError, match="task_runner must be a SequencedTaskRunner, not int"):
        kind(task_runner=5)  # type: ignore[arg-type]


def test_it_runs_on_its_sequence(runner: SequencedTaskRunner) -> None:
    done = threading.Event()
    seen = list[bool]()

    def make() -> Timer:
        return OneShotTimer() if len(seen) == 0 else RepeatingTimer()

    def call() -> None:
        seen.append(runner.runs_tasks_in_current_sequence())
        if len(seen) in (1, 4):
            done.set()

    for _ in range(2):
        done.clear()
        timer = on_sequence(runner, make)
        on_sequence(runner, timer.start, 0.001, call)
        assert done.wait(TIMEOUT)
        on_sequence(runner, timer.stop)
    assert all(seen)


@pytest.mark.parametrize("kind", KINDS)
def test_use_from_elsewhere_is_refused(runner: SequencedTaskRunner, kind: type[Timer]) -> None:
    with pytest.raises(RuntimeError, match="not in a task of a sequence"):
        kind()
    timer = kind(task_runner=runner)
    uses: list[Callable[[], None]] = [lambda: timer.start(1, print), timer.reset, timer.stop]
    for use in uses:
        with pytest.raises(RuntimeError, match="on its sequence only"):
            use()
    on_sequence(runner, timer.start, FOREVER, print)
    with pytest.raises(RuntimeError, match="on its sequence only"):
        timer.stop()
    on_sequence(runner, timer.stop)


def test_coroutines_of_the_loop_may_use_it() -> None:
    async def main() -> int:
        done = asyncio.Event()
        runner = AsyncioTaskRunner()
        timer = OneShotTimer(task_runner=runner)
        timer.start(0.001, done.set)
        await asyncio.wait_for(done.wait(), TIMEOUT)
        ticks = list[int]()
        repeating = RepeatingTimer(task_runner=runner)
        done.clear()

        def tick() -> None:
            ticks.append(1)
            if len(ticks) == 3:
                repeating.stop()
                done.set()

        repeating.start(0.001, tick)
        await asyncio.wait_for(done.wait(), TIMEOUT)
        with pytest.raises(RuntimeError, match="on its sequence only"):
            await asyncio.to_thread(repeating.stop)
        runner.close()
        return len(ticks)

    assert asyncio.run(main()) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_after_stop_it_never_calls(pool: ThreadPool, kind: type[Timer]) -> None:
    runner = pool.create_sequenced_task_runner()
    stopped = [False]
    late = list[int]()

    def call() -> None:
        if stopped[0]:
            late.append(1)

    timers = [kind(task_runner=runner) for _ in range(200)]

    def start() -> None:
        stopped[0] = False
        for number, timer in enumerate(timers):
            timer.start(0.00001 * (number + 1), call)

    def stop() -> None:
        for timer in timers:
            timer.stop()
        stopped[0] = True

    for _ in range(20):
        on_sequence(runner, start)
        on_sequence(runner, stop)
    on_sequence(runner, int)
    assert late == []


@pytest.mark.parametrize("kind", KINDS)
def test_dropping_cancels_and_nothing_keeps_it(pool: ThreadPool, kind: type[Timer]) -> None:
    runner = pool.create_sequenced_task_runner()

    class Owner:
        def __init__(self) -> None:
            self.timer = kind()
            self.timer.start(FOREVER, self.call)

        def call(self) -> None: ...

    timer = kind(task_runner=runner)
    on_sequence(runner, timer.start, FOREVER, print)
    assert pool.statistics().tasks_delayed == 1
    del timer
    assert pool.statistics().tasks_delayed == 0
    owner = on_sequence(runner, Owner)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None and pool.statistics().tasks_delayed == 0


def test_a_callback_that_raises_is_reported_and_the_timer_goes_on(pool: ThreadPool) -> None:
    runner = pool.create_sequenced_task_runner()
    errors = list[str]()
    enough = threading.Event()

    def report(error: Any) -> None:
        errors.append(str(error.exception))
        if len(errors) == 3:
            enough.set()

    def fail() -> None:
        raise LookupError("on purpose")

    runner.exception_handler = report
    timer = RepeatingTimer(task_runner=runner)
    on_sequence(runner, timer.start, 0.001, fail)
    assert enough.wait(TIMEOUT)
    on_sequence(runner, timer.stop)
    assert set(errors) == {"on purpose"}
    runner.exception_handler = None


@pytest.mark.parametrize("kind", KINDS)
def test_a_shutdown_ends_it(kind: type[Timer]) -> None:
    pool = ThreadPool(max_workers=1)
    runner = pool.create_sequenced_task_runner()
    timer = kind(task_runner=runner)
    entered, shut_down = threading.Event(), threading.Event()

    def restart() -> None:
        entered.set()
        shut_down.wait()
        timer.start(1, print)

    on_sequence(runner, timer.start, FOREVER, pytest.fail)
    future = runner.submit(restart)
    assert entered.wait(TIMEOUT)
    with pytest.raises(TimeoutError):
        pool.shutdown(timeout=0)
    shut_down.set()
    with pytest.raises(ShutdownError):
        future.result(TIMEOUT)
    pool.shutdown()


def test_on_mock_time() -> None:
    with TaskEnvironment() as environment, ThreadPool() as pool:
        runner = pool.create_sequenced_task_runner()
        begun, calls = environment.now(), list[float]()
        timer = RepeatingTimer(task_runner=runner)
        runner.post_task(timer.start, 0.1, lambda: calls.append(environment.now() - begun))
        environment.advance(100.05)
        assert len(calls) == 1000
        assert all(abs(at - 0.1 * n) < 1e-6 for n, at in enumerate(calls, 1))
        runner.submit(timer.stop).result()
        one_shot = OneShotTimer(task_runner=runner)
        runner.post_task(one_shot.start, FOREVER, calls.clear)
        environment.advance(FOREVER)
        assert calls == [] and not one_shot.is_running


class Clock(Actor):
    """Has timers of both kinds."""

    def __init__(self) -> None:
        self.ticks = 0
        self.timer = RepeatingTimer()
        self.alarm = OneShotTimer()

    def begin(self, delay: float) -> None:
        self.timer.start(delay, self.tick)

    def tick(self) -> None:
        self.ticks += 1

    def count(self) -> int:
        return self.ticks

    async def begin_and_wait(self, seconds: float) -> int:
        self.alarm.start(0.5, self.tick)
        await asyncio.sleep(seconds)
        return self.ticks

    def fail_later(self) -> None:
        self.alarm.start(1, self.fail)

    def fail(self) -> None:
        raise LookupError("on purpose")


def test_in_an_actor_it_ends_with_the_actor() -> None:
    with TaskEnvironment() as environment, ActorSystem() as system:
        clock = system.spawn(Clock)
        clock.begin(1.0).result()
        environment.advance(10.5)
        assert clock.count().result() == 10
        instance = clock._target.instance
        clock.stop()
        environment.advance(10)
        assert instance.ticks == 10


def test_in_an_actor_it_waits_for_async_methods() -> None:
    with TaskEnvironment(), ActorSystem() as system:
        clock = system.spawn(Clock)
        assert clock.begin_and_wait(5.0).result() == 0
        assert clock.count().result() == 1


def test_in_an_actor_an_error_is_its_failure(caplog: pytest.LogCaptureFixture) -> None:
    with TaskEnvironment() as environment, ActorSystem() as system:
        clock = system.spawn(Clock)
        clock.fail_later().result()
        environment.advance(2)
        assert not clock.is_alive
    assert "on purpose" in caplog.text
