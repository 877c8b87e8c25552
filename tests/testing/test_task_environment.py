"""TaskEnvironment: everything runs on one thread. Public contract §13."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import (
    InvalidArgumentError,
    SequenceChecker,
    SequencedTaskRunner,
    ShutdownError,
    ThreadPool,
    _core,
    bind_post_task,
)
from mojo_seq.testing import TaskEnvironment

TIMEOUT = 30.0


def test_tasks_run_on_the_calling_thread(env: TaskEnvironment) -> None:
    threads = set[int]()

    def note() -> None:
        threads.add(threading.get_ident())

    pool = ThreadPool()
    before = threading.active_count()
    for make in (pool.create_sequenced_task_runner, pool.create_single_thread_task_runner):
        make().post_task(note)
    pool.post_task(note)
    env.run_until_idle()
    assert threads == {threading.get_ident()}
    assert threading.active_count() == before


def test_nothing_runs_by_itself(env: TaskEnvironment) -> None:
    ran: list[int] = []
    ThreadPool().create_sequenced_task_runner().post_task(ran.append, 1)
    assert ran == []
    env.run_until_idle()
    assert ran == [1]


def test_each_sequence_keeps_its_order(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    orders: list[list[int]] = [[], [], []]
    for order in orders:
        runner = pool.create_sequenced_task_runner()
        for number in range(20):
            runner.post_task(order.append, number)
    env.run_until_idle()
    assert orders == [list(range(20))] * 3


def test_result_runs_what_it_waits_for(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    first, second = (pool.create_sequenced_task_runner() for _ in range(2))

    def outer() -> int:
        return second.submit(lambda: 20).result() + pool.submit(lambda: 1).result()

    assert first.submit(outer).result() == 21


def test_a_sequence_is_never_in_two_tasks(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    runner, helper = (pool.create_sequenced_task_runner() for _ in range(2))
    order: list[str] = []

    def waits(name: str) -> None:
        order.append(f"begin {name}")
        helper.submit(int).result()
        order.append(f"end {name}")

    for name in ("a", "b"):
        runner.post_task(waits, name)
    env.run_until_idle()
    assert order == ["begin a", "end a", "begin b", "end b"]


def test_tasks_know_their_sequence(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    first, second = (pool.create_sequenced_task_runner() for _ in range(2))
    checker = SequenceChecker()

    def ask() -> tuple[bool, bool, bool]:
        here = first.runs_tasks_in_current_sequence()
        there = second.submit(first.runs_tasks_in_current_sequence).result()
        return here, there, SequencedTaskRunner.current() is first

    assert first.submit(ask).result() == (True, False, True)
    assert first.submit(checker.called_on_valid_sequence).result()
    assert not second.submit(checker.called_on_valid_sequence).result()
    with pytest.raises(RuntimeError, match="not in a task"):
        SequencedTaskRunner.current()


def test_replies_come_back_to_the_asker(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    asker, answerer = (pool.create_sequenced_task_runner() for _ in range(2))
    got: list[tuple[int, SequencedTaskRunner]] = []

    def ask() -> None:
        answerer.post_task_and_reply(
            lambda: 42, lambda answer: got.append((answer, SequencedTaskRunner.current()))
        )

    asker.post_task(ask)
    bind_post_task(answerer, asker.post_task)(len, "x")
    env.run_until_idle()
    assert got == [(42, asker)]


def test_a_failure_reaches_its_future(env: TaskEnvironment) -> None:
    future = ThreadPool().submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        future.result()
    assert isinstance(future.exception(), ValueError)
    assert env.task_errors == []


def test_a_raising_task_fails_the_block(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    def fail() -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose") as caught, TaskEnvironment() as env:
        runner = ThreadPool().create_sequenced_task_runner()
        runner.post_task(fail)
        runner.post_task(ran.append, 1)
        runner.post_task(fail)
        env.run_until_idle()
    assert ran == [1]  # it did not end the sequence
    assert caught.value.__notes__[0].startswith(f"raised by a task, posted from {__file__}:")
    assert caught.value.__notes__[1].startswith("and 1 more")
    assert caplog.text.count("ValueError: on purpose") == 2


def test_an_expected_error_of_a_task_can_be_cleared(caplog: pytest.LogCaptureFixture) -> None:
    with TaskEnvironment() as env:
        ThreadPool().post_task(int, "x")
        env.run_until_idle()
        (error,) = env.task_errors
        assert isinstance(error.exception, ValueError)
        env.task_errors.clear()


def test_a_handled_error_of_a_task_is_none(env: TaskEnvironment) -> None:
    errors: list[_core.TaskError] = []
    runner = ThreadPool().create_sequenced_task_runner()
    runner.exception_handler = errors.append
    runner.post_task(int, "x")
    env.run_until_idle()
    assert len(errors) == 1
    assert env.task_errors == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, pytest.fail.Exception])
def test_what_ends_the_program_comes_out(env: TaskEnvironment, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error("on purpose")

    pool = ThreadPool()
    pool.post_task(fail)
    with pytest.raises(error, match="on purpose"):
        env.run_until_idle()
    nested = pool.submit(lambda: pool.submit(fail).result())
    with pytest.raises(error, match="on purpose"):
        nested.result()
    pool.submit(int).result()  # it goes on


def test_environments_do_not_nest(env: TaskEnvironment) -> None:
    with pytest.raises(RuntimeError, match="do not nest"), TaskEnvironment():
        pytest.fail("entered")
    ThreadPool().submit(int).result()  # this one is still open


def test_an_environment_is_entered_once() -> None:
    environment = TaskEnvironment()
    with environment:
        pass
    with pytest.raises(RuntimeError, match="entered once"), environment:
        pytest.fail("entered")


def test_each_thread_has_its_own(env: TaskEnvironment) -> None:
    def other() -> tuple[object, float]:
        assert _core.current_environment() is None
        with TaskEnvironment() as theirs:
            future = ThreadPool().create_sequenced_task_runner().submit(_core.current_environment)
            theirs.advance(3)
            return future.result() is theirs, theirs.now()

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(other).result(TIMEOUT) == (True, 3.0)
    assert _core.current_environment() is env
    assert env.now() == 0.0


def test_outside_of_the_block_pools_have_threads() -> None:
    with TaskEnvironment():
        pass
    with ThreadPool() as pool:
        assert pool.submit(threading.get_ident).result(TIMEOUT) != threading.get_ident()


@pytest.mark.parametrize(
    "call",
    [
        lambda env: env.advance(1),
        lambda env: env.run_until_idle(),
        lambda env: env.run_until(lambda: False),
        lambda env: env.leave(),
    ],
)
def test_other_threads_cannot_drive_it(
    env: TaskEnvironment, call: Callable[[TaskEnvironment], object]
) -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match="on its thread"):
        executor.submit(call, env).result(TIMEOUT)


def test_after_the_block_nothing_can_be_posted() -> None:
    with TaskEnvironment() as env:
        pool = ThreadPool()
        runner = pool.create_sequenced_task_runner()
    with pytest.raises(ShutdownError):
        runner.post_task(print)
    with pytest.raises(ShutdownError):
        runner.post_delayed_task(1, print)
    with pytest.raises(ShutdownError):
        pool.post_task(print)
    for call in (env.run_until_idle, lambda: env.advance(1), lambda: env.run_until(bool)):
        with pytest.raises(RuntimeError, match="in the environment's block"):
            call()
    pool.shutdown()
    assert env.now() == 0.0


def test_what_is_left_is_dropped() -> None:
    class Mark:
        pass

    mark = Mark()
    gone = weakref.ref(mark)
    with TaskEnvironment() as env:
        runner = ThreadPool().create_sequenced_task_runner()
        never = runner.submit(id, mark)
        handle = runner.post_delayed_task(5, id, mark)
        runner.post_delayed_task(5, runner.post_task, id, mark)
        del mark
        env.advance(0)
        assert never.done()
        late = runner.submit(int)
    assert late.cancelled()
    assert not handle.cancel()
    del never, late, handle, runner, env
    gc.collect()
    assert gone() is None


def test_an_exception_of_the_block_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OSError("when leaving")

    with pytest.raises(KeyError, match="first") as caught, TaskEnvironment() as env:
        env.call_at_exit(fail)
        ThreadPool().post_task(int, "x")
        env.run_until_idle()
        raise KeyError("first")
    assert "when leaving" in caught.value.__notes__[0]
    assert _core.current_environment() is None


def test_exit_calls_run_last_first_and_can_run_tasks() -> None:
    order: list[object] = []
    with TaskEnvironment() as env:
        pool = ThreadPool()
        env.call_at_exit(lambda: order.append(pool.submit(int).result()))
        env.call_at_exit(lambda: order.append("last"))
    assert order == ["last", 0]


def test_a_failing_exit_call_does_not_stop_the_others() -> None:
    order: list[int] = []

    def fail() -> None:
        raise OSError("when leaving")

    with pytest.raises(OSError, match="when leaving"), TaskEnvironment() as env:
        env.call_at_exit(lambda: order.append(1))
        env.call_at_exit(fail)
    assert order == [1]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_that_there_is_not(seed: int) -> None:
    with pytest.raises(InvalidArgumentError, match="seed must be"):
        TaskEnvironment(seed)


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError):
        TaskEnvironment("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        TaskEnvironment(schedule=["x"])  # type: ignore[list-item]
    with pytest.raises(InvalidArgumentError, match="no choice"):
        TaskEnvironment(schedule=[-1])
    with pytest.raises(InvalidArgumentError, match="either"):
        TaskEnvironment(1, schedule=[])
    with TaskEnvironment() as env:
        with pytest.raises(TypeError):
            env.run_until(None)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            env.call_at_exit(None)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError):
            ThreadPool(0)
        with pytest.raises(InvalidArgumentError, match="patience"):
            env.patience = -1


def test_posts_of_other_threads_are_waited_for(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    runner = pool.create_sequenced_task_runner()
    asked = threading.Event()
    done: list[int] = []

    def post() -> None:
        assert asked.wait(TIMEOUT)
        for number in range(100):
            runner.post_task(done.append, number)

    with ThreadPoolExecutor(1) as executor:
        posting = executor.submit(post)
        env.call_at_exit(lambda: None)
        asked.set()
        assert env.run_until(lambda: len(done) == 100)
        posting.result(TIMEOUT)
    assert done == list(range(100))


def test_a_future_can_be_waited_for_on_another_thread(env: TaskEnvironment) -> None:
    future = ThreadPool().submit(lambda: 5)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(future.result, TIMEOUT)
        env.run_until_idle()
        assert waiting.result(TIMEOUT) == 5
