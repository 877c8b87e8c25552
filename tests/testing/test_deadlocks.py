"""A blocking call that could never return raises, and says what waits. Public contract §13."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    DeadlineExceededError,
    RunLoop,
    Signals,
    TaskTraits,
    ThreadPool,
    WaitableEvent,
    WaitSet,
    create_message_pipe,
    wait,
    wait_many,
)
from mojo_seq.testing import DeadlockError, NestingError, TaskEnvironment, explore

TIMEOUT = 30.0


def wait_for_set() -> None:
    waited = WaitSet()
    waited.add_event(WaitableEvent())
    waited.wait()


def wait_for_future() -> None:
    ThreadPool().submit(WaitableEvent().wait).result()


def wait_for_pipe() -> None:
    here, there = create_message_pipe()
    with here, there:
        wait(here, Signals.READABLE)


def wait_for_pipes() -> None:
    here, there = create_message_pipe()
    with here, there:
        wait_many([(here, Signals.READABLE), (there, Signals.PEER_CLOSED)])


@pytest.mark.parametrize(
    "call",
    [
        lambda: WaitableEvent().wait(),
        lambda: RunLoop().run(),
        wait_for_set,
        wait_for_future,
        wait_for_pipe,
        wait_for_pipes,
    ],
)
def test_every_blocking_call_notices(env: TaskEnvironment, call: Callable[[], object]) -> None:
    with pytest.raises(DeadlockError, match="nothing is left to run") as caught:
        call()
    assert f"{__file__}:" in str(caught.value)
    ThreadPool().submit(int).result()  # it can go on after that


def test_the_text_lists_what_waits_and_what_cannot_run() -> None:
    with TaskEnvironment() as env:
        pool = ThreadPool()
        runner = pool.create_sequenced_task_runner(name="stuck")
        never = WaitableEvent()
        asked = runner.submit(never.wait)
        for _ in range(2):
            runner.post_task(int)
        assert env.run_until(asked.done, about="an answer")
        error = asked.exception()  # it was raised in the innermost call
        assert isinstance(error, DeadlockError)
        assert re.fullmatch(
            r"nothing is left to run, and these wait:\n"
            r"  a task of <SimulatedTaskRunner 'stuck'> for <.*WaitableEvent.*>, .*\n"
            rf"  the test for 'an answer', {re.escape(__file__)}:\d+ in test_the_text_.*\n"
            r"  2 tasks of <SimulatedTaskRunner 'stuck'>, which cannot run them now\n"
            r"in the order of readiness",
            str(error),
        )


def test_the_text_names_the_seed() -> None:
    with TaskEnvironment(12), pytest.raises(DeadlockError, match="in the order of seed 12"):
        WaitableEvent().wait()


def test_a_task_that_posted_nothing_to_wake_it_ends_run_until_idle() -> None:
    with TaskEnvironment() as env:
        ThreadPool().post_task(WaitableEvent().wait)
        env.run_until_idle()
        (failed,) = env.task_errors
        assert "the test for run_until_idle()" in str(failed.exception)
        env.task_errors.clear()


def test_a_timeout_is_not_a_deadlock(env: TaskEnvironment) -> None:
    assert not WaitableEvent().wait(3)
    here, there = create_message_pipe()
    with here, there:
        assert wait(here, Signals.READABLE, 3)[0].name == "DEADLINE_EXCEEDED"
    assert env.now() == 6.0


def test_a_task_that_asks_its_own_sequence_waits_for_itself(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner(name="own")
    with pytest.raises(DeadlockError, match="1 task of <SimulatedTaskRunner 'own'>"):
        runner.submit(lambda: runner.submit(int).result()).result()


def test_too_few_workers_are_noticed(env: TaskEnvironment) -> None:
    """All workers wait for a task that none of them can run."""
    pool = ThreadPool(2)

    def depth(left: int) -> int:
        return pool.submit(depth, left - 1).result() + 1 if left else 0

    assert pool.submit(depth, 1).result() == 1
    with pytest.raises(DeadlockError):
        pool.submit(depth, 2).result()
    assert ThreadPool().submit(depth, 1).result() == 1


def test_tasks_that_may_block_get_another_worker(env: TaskEnvironment) -> None:
    pool = ThreadPool(1)
    runner = pool.create_sequenced_task_runner(traits=TaskTraits(may_block=True))
    assert runner.submit(lambda: pool.submit(int).result()).result() == 0


def test_a_heartbeat_does_not_hide_it(env: TaskEnvironment) -> None:
    """The clock could move on for ever."""
    runner = ThreadPool().create_sequenced_task_runner()

    def beat() -> None:
        runner.post_delayed_task(1, beat)

    beat()
    with pytest.raises(DeadlockError, match="timers"):
        WaitableEvent().wait()


def produce_and_consume(env: TaskEnvironment) -> None:
    """No deadlock with threads, in no order."""
    pool = ThreadPool()
    store, producer, consumer = (pool.create_sequenced_task_runner() for _ in range(3))
    made = WaitableEvent()

    def produce() -> None:
        store.submit(int).result()
        made.signal()

    producing = producer.submit(produce)
    consuming = consumer.submit(made.wait)
    for each in (producing, consuming):
        each.result()


def test_what_one_stack_cannot_do_is_told_apart() -> None:
    failed = 0
    for seed in range(50):
        try:
            with TaskEnvironment(seed) as env:
                produce_and_consume(env)
        except NestingError as error:
            failed += 1
            assert "could go on, but those above are on its stack" in str(error)
    assert 0 < failed < 50


def test_without_a_seed_a_task_first_gets_what_it_has_just_asked_for() -> None:
    with TaskEnvironment() as env:
        produce_and_consume(env)


def test_explore_passes_over_what_one_stack_cannot_do() -> None:
    explore(produce_and_consume)


def test_explore_tells_if_there_was_nothing_else() -> None:
    def never_possible(env: TaskEnvironment) -> None:
        pool = ThreadPool()
        event = WaitableEvent()
        waiting = pool.create_sequenced_task_runner()
        outer = pool.create_sequenced_task_runner()

        def begin() -> None:
            waiting.post_task(event.wait)
            env.run_until_idle()
            event.signal()

        outer.submit(begin).result()

    with pytest.raises(DeadlockError):
        explore(never_possible, [1])


def test_nobody_waits_in_vain_for_two_that_post_each_other(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    first, second, third = (pool.create_sequenced_task_runner() for _ in range(3))
    over: list[int] = []

    def ping(number: int) -> None:
        if not over:
            (first, second)[number % 2].post_task(ping, number + 1)

    def ask() -> int:
        asked = third.submit(int)
        first.post_task(ping, 1)
        answer = asked.result()
        over.append(1)
        return answer

    assert pool.submit(ask).result() == 0


def test_a_shutdown_waits_for_those_below_in_vain(env: TaskEnvironment) -> None:
    pool, other = ThreadPool(), ThreadPool()

    def shut_down() -> None:
        with pytest.raises(DeadlineExceededError):
            pool.shutdown(timeout=5)
        pool.shutdown()

    with pytest.raises(DeadlockError, match="last tasks of a pool"):
        pool.submit(lambda: other.submit(shut_down).result()).result()
    assert env.now() == 5.0


def test_it_waits_for_threads_that_were_started_in_the_block(env: TaskEnvironment) -> None:
    event = WaitableEvent()
    gate = threading.Event()

    def signal() -> None:
        gate.wait(TIMEOUT)
        event.signal()

    with ThreadPoolExecutor(1) as executor:
        signaling = executor.submit(signal)
        gate.set()
        assert event.wait()
        signaling.result(TIMEOUT)


def test_its_patience_with_threads_is_limited() -> None:
    gate = threading.Event()
    with TaskEnvironment() as env, ThreadPoolExecutor(1) as executor:
        env.patience = 0.01
        executor.submit(gate.wait, TIMEOUT)
        with pytest.raises(DeadlockError):
            WaitableEvent().wait()
        gate.set()


def test_what_comes_of_it_is_passed_over_too() -> None:
    """The error ends the task that got it, and whoever waits for that task waits in vain."""
    ended: list[int] = []

    def test(env: TaskEnvironment) -> None:
        try:
            produce_and_consume(env)
        except NestingError:
            ended.append(1)
            WaitableEvent().wait()

    explore(test, range(50))
    assert ended
    with pytest.raises(DeadlockError) as caught, TaskEnvironment(first_that_nests()) as env:
        test(env)
    assert any("but this came first: NestingError" in note for note in caught.value.__notes__)


def first_that_nests() -> int:
    for seed in range(50):
        try:
            with TaskEnvironment(seed) as env:
                produce_and_consume(env)
        except NestingError:
            return seed
    raise AssertionError("none")
