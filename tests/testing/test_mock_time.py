"""The clock of a TaskEnvironment. Public contract §13."""

from __future__ import annotations

import math
import time

import pytest

from mojo_seq import InvalidArgumentError, RunLoop, ThreadPool, WaitableEvent, _core
from mojo_seq.testing import TaskEnvironment

YEAR = 365 * 24 * 3600.0


def test_it_begins_at_zero_and_stands_still(env: TaskEnvironment) -> None:
    assert env.now() == 0.0
    ThreadPool().submit(int).result()
    env.run_until_idle()
    assert env.now() == 0.0


def test_advance_runs_what_becomes_due(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    times: list[float] = []
    for delay in (3, 1, 2, 1):
        runner.post_delayed_task(delay, lambda: times.append(env.now()))
    env.advance(2.5)
    assert times == [1.0, 1.0, 2.0]
    assert env.now() == 2.5
    env.advance(YEAR)
    assert times == [1.0, 1.0, 2.0, 3.0]
    assert env.now() == 2.5 + YEAR


def test_advance_includes_its_end_and_what_comes_up_on_the_way(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    times: list[float] = []

    def again() -> None:
        times.append(env.now())
        runner.post_delayed_task(1, again)

    runner.post_task(again)
    env.advance(3)
    assert times == [0.0, 1.0, 2.0, 3.0]


def test_advance_by_nothing_runs_what_is_ready(env: TaskEnvironment) -> None:
    future = ThreadPool().submit(int)
    env.advance(0)
    assert future.done()


def test_run_until_idle_leaves_delayed_tasks(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    ran: list[int] = []
    handle = runner.post_delayed_task(1, ran.append, 1)
    env.run_until_idle()
    assert ran == []
    assert handle.cancel()
    env.advance(2)
    assert ran == []


def test_equal_delays_keep_their_order(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    order: list[int] = []
    for number in range(20):
        runner.post_delayed_task(1, order.append, number)
    env.advance(1)
    assert order == list(range(20))


def test_a_blocking_call_moves_the_clock_to_what_it_waits_for(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    event = WaitableEvent()
    runner.post_delayed_task(YEAR, event.signal)
    began = time.monotonic()
    assert event.wait()
    assert env.now() == YEAR
    assert time.monotonic() - began < YEAR


def test_timeouts_are_of_mock_time(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    event = WaitableEvent()
    runner.post_delayed_task(10, event.signal)
    assert not event.wait(4)
    assert env.now() == 4.0
    assert event.wait(YEAR)
    assert env.now() == 10.0


def test_a_timeout_of_zero_only_looks(env: TaskEnvironment) -> None:
    future = ThreadPool().submit(int)
    with pytest.raises(TimeoutError):
        future.result(timeout=0)
    assert not env.run_until(lambda: False, 0)
    assert not env.run_until(lambda: False, -1)
    assert future.result() == 0


def test_a_task_waits_with_a_timeout_while_time_goes_on(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    event = WaitableEvent()
    waiting = pool.create_sequenced_task_runner().submit(event.wait, 5)
    other = pool.create_sequenced_task_runner()
    times: list[float] = []
    for delay in (1, 6):
        other.post_delayed_task(delay, lambda: times.append(env.now()))
    env.advance(10)
    assert waiting.result() is False
    assert times == [1.0, 6.0]
    assert env.now() == 10.0


def test_the_core_tells_this_time(env: TaskEnvironment) -> None:
    env.advance(1.5)
    assert _core.monotonic() == 1.5
    assert ThreadPool().submit(_core.monotonic).result() == 1.5


def test_outside_the_core_tells_the_monotonic_time() -> None:
    before = time.monotonic()
    now = _core.monotonic()
    assert before <= now <= time.monotonic()


def test_a_run_loop_counts_on_it_too(env: TaskEnvironment) -> None:
    loop = RunLoop()
    loop.task_runner.post_delayed_task(YEAR, loop.quit)
    loop.run()
    assert env.now() == YEAR


@pytest.mark.parametrize("seconds", [-1, math.inf, 1e300])
def test_a_time_to_which_the_clock_cannot_go(env: TaskEnvironment, seconds: float) -> None:
    with pytest.raises(InvalidArgumentError):
        env.advance(seconds)


@pytest.mark.parametrize("seconds", [None, "x"])
def test_a_time_must_be_a_number(env: TaskEnvironment, seconds: float) -> None:
    with pytest.raises(TypeError):
        env.advance(seconds)


def test_a_task_can_move_the_clock(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    runner.post_delayed_task(1, env.advance, 5)
    env.advance(2)
    assert env.now() == 6.0
