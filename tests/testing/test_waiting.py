"""Waiting and watching in a TaskEnvironment. Public contract §9, §13."""

from __future__ import annotations

import concurrent.futures
import contextvars
import threading

import pytest

from mojo_seq import (
    MessagePipeHandle,
    Result,
    Signals,
    SignalsState,
    SimpleWatcher,
    ThreadPool,
    WaitableEvent,
    WaitSet,
    Watcher,
    create_data_pipe,
    create_message_pipe,
    spawn_process,
    wait,
    wait_many,
)
from mojo_seq.testing import DeadlockError, NestingError, TaskEnvironment

pytestmark = pytest.mark.across_processes

TIMEOUT = 30.0


def test_wait_runs_the_writer(env: TaskEnvironment) -> None:
    here, there = create_message_pipe()
    with here, there:
        ThreadPool().post_task(there.write, b"x")
        result, state = wait(here, Signals.READABLE)
        assert result == Result.OK
        assert state.readable
        assert bytes(here.read()) == b"x"


def test_wait_tells_what_can_never_come(env: TaskEnvironment) -> None:
    here, there = create_message_pipe()
    with here:
        ThreadPool().create_sequenced_task_runner().post_delayed_task(5, there.close)
        assert wait(here, Signals.READABLE)[0] == Result.FAILED_PRECONDITION
        assert env.now() == 5.0


def test_wait_is_told_of_closing(env: TaskEnvironment) -> None:
    here, there = create_message_pipe()
    with there:
        ThreadPool().post_task(here.close)
        assert wait(here, Signals.READABLE)[0] == Result.CANCELLED


def test_wait_many_tells_which(env: TaskEnvironment) -> None:
    pipes = [create_message_pipe() for _ in range(3)]
    runner = ThreadPool().create_sequenced_task_runner()
    runner.post_delayed_task(2, pipes[0].handle1.write, b"late")
    runner.post_delayed_task(1, pipes[2].handle1.write, b"early")
    result, index, states = wait_many([(pipe.handle0, Signals.READABLE) for pipe in pipes])
    assert (result, index, env.now()) == (Result.OK, 2, 1.0)
    assert [state.readable for state in states] == [False, False, True]
    assert wait_many([(pipes[1].handle0, Signals.READABLE)], 3)[:2] == (
        Result.DEADLINE_EXCEEDED,
        None,
    )
    assert env.now() == 4.0
    for pipe in pipes:
        pipe.handle0.close()
        pipe.handle1.close()


def test_an_event_that_resets_itself_wakes_one(env: TaskEnvironment) -> None:
    event = WaitableEvent(manual_reset=False)
    pool = ThreadPool()
    waiting = [pool.submit(event.wait, 10) for _ in range(3)]
    runner = pool.create_sequenced_task_runner()
    for delay in (1, 2):
        runner.post_delayed_task(delay, event.signal)
    env.advance(20)
    assert sorted(each.result() for each in waiting) == [False, True, True]
    assert not event.is_signaled()


def test_a_wait_set_waits_for_handles_and_events(env: TaskEnvironment) -> None:
    here, there = create_message_pipe()
    event = WaitableEvent(manual_reset=False)
    waited = WaitSet()
    waited.add_handle(here, Signals.READABLE)
    waited.add_event(event)
    runner = ThreadPool().create_sequenced_task_runner()
    runner.post_delayed_task(1, event.signal)
    runner.post_delayed_task(2, there.write, b"x")
    with here, there:
        assert waited.wait() == (event, [])
        assert env.now() == 1.0
        found = waited.wait()
        assert found.event is None
        assert [each.handle for each in found.ready] == [here]
        assert env.now() == 2.0
        here.read()
        assert waited.wait(timeout=5) == (None, [])
        assert env.now() == 7.0
        waited.remove_handle(here)
    waited.remove_event(event)
    assert waited.wait() == (None, [])  # there is nothing to wait for


def test_a_simple_watcher_calls_back_on_its_sequence(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    here, there = create_message_pipe()
    got: list[tuple[bytes, bool]] = []

    def serve(handle: MessagePipeHandle) -> SimpleWatcher:
        watcher = SimpleWatcher()

        def on_readable(result: Result, state: SignalsState) -> None:
            if result == Result.OK:
                got.append((bytes(handle.read()), runner.runs_tasks_in_current_sequence()))

        watcher.watch(handle, Signals.READABLE, on_readable)
        return watcher

    with here, there:
        watcher = runner.submit(serve, here).result()
        there.write_batch([b"a", b"b"])
        assert got == []
        env.run_until_idle()
        assert got == [(b"a", True), (b"b", True)]
        runner.submit(watcher.cancel).result()


def test_a_dialogue_of_blocking_calls_takes_two_stacks(env: TaskEnvironment) -> None:
    producer, consumer = create_data_pipe(16)
    pool = ThreadPool()
    sent = bytes(range(256))

    def produce() -> None:
        left = sent
        while left:
            wait(producer, Signals.WRITABLE)
            left = left[producer.write(left) :]
        producer.close()

    def consume() -> bytes:
        got = b""
        while wait(consumer, Signals.READABLE)[0] == Result.OK:
            got += consumer.read()
        return got

    with producer, consumer:
        producing = pool.submit(produce)
        with pytest.raises(DeadlockError):
            consume()
        # The producer, above on the stack, has filled it and waited for the consumer.
        assert isinstance(producing.exception(), NestingError)
        assert env.nesting_error is producing.exception()


def test_data_pipes_flow_where_one_side_watches(env: TaskEnvironment) -> None:
    producer, consumer = create_data_pipe(16)
    runner = ThreadPool().create_sequenced_task_runner()
    sent = bytes(range(256))
    left = [sent]

    def produce(watcher: SimpleWatcher) -> None:
        def on_writable(result: Result, state: SignalsState) -> None:
            left[0] = left[0][producer.write(left[0]) :]
            if not left[0]:
                watcher.close()
                producer.close()

        watcher.watch(producer, Signals.WRITABLE, on_writable)

    with producer, consumer:
        watcher = SimpleWatcher(task_runner=runner)
        runner.post_task(produce, watcher)
        got = b""
        while wait(consumer, Signals.READABLE)[0] == Result.OK:
            got += consumer.read()
        assert got == sent


def test_several_futures_at_once(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    runner = pool.create_sequenced_task_runner()
    futures = [pool.submit(pow, 2, number) for number in range(5)]
    done, left = concurrent.futures.wait(futures)
    assert (len(done), left) == (5, set())
    futures = [pool.submit(pow, 2, number) for number in range(5)]
    found = {each.result() for each in concurrent.futures.as_completed(futures)}
    assert found == {1, 2, 4, 8, 16}
    late = pool.submit(WaitableEvent().wait, 10)
    runner.post_delayed_task(1, int)
    with pytest.raises(TimeoutError):
        late.result(timeout=3)
    assert env.now() == 10.0  # a task that waits on the stack is not left behind
    assert late.result() is False


def test_a_cancelled_future(env: TaskEnvironment) -> None:
    future = ThreadPool().submit(int)
    assert future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    env.run_until_idle()


def test_context_variables_travel_and_stay_apart(env: TaskEnvironment) -> None:
    name = contextvars.ContextVar("name", default="nobody")
    pool = ThreadPool()

    def outer() -> tuple[str, str, str]:
        name.set("outer")
        inner = pool.submit(lambda: (name.get(), name.set("inner"))[0]).result()
        return inner, name.get(), "outer"

    name.set("test")
    assert pool.submit(outer).result() == ("outer", "outer", "outer")
    assert pool.submit(name.get).result() == "test"


def echo(pipe: MessagePipeHandle) -> None:
    """Runs in another process: sends back what it gets."""
    while wait(pipe, Signals.READABLE)[0] == Result.OK:
        pipe.write(bytes(pipe.read()))


@pytest.fixture(scope="module")
def io_thread() -> None:
    """What a process has from its first use of another on, before it is counted."""
    with spawn_process(echo) as child:
        wait(child.pipe, Signals.PEER_CLOSED, 0.001)
        called = threading.Event()
        watcher = Watcher(lambda *notification: called.set())
        watcher.watch(child.pipe, Signals.READABLE, None)
        child.pipe.write(b"x")
        if not watcher.arm():
            assert called.wait(TIMEOUT)
        watcher.close()


def test_other_processes_are_waited_for_in_real_time(io_thread: None) -> None:
    with TaskEnvironment() as env, spawn_process(echo) as child:
        env.patience = TIMEOUT
        for _ in range(3):
            child.pipe.write(b"x")
            assert wait(child.pipe, Signals.READABLE)[0] == Result.OK
            assert bytes(child.pipe.read()) == b"x"
        got: list[bytes] = []
        runner = ThreadPool().create_sequenced_task_runner()

        def serve() -> SimpleWatcher:
            watcher = SimpleWatcher()
            watcher.watch(
                child.pipe, Signals.READABLE, lambda *_: got.append(bytes(child.pipe.read()))
            )
            return watcher

        watcher = runner.submit(serve).result()
        child.pipe.write(b"y")
        assert env.run_until(lambda: got == [b"y"])
        assert env.now() < 30.0
        runner.submit(watcher.cancel).result()


def test_processes_from_before_the_block_are_waited_for_if_it_is_their_pipe(
    io_thread: None,
) -> None:
    with spawn_process(echo) as child, TaskEnvironment() as env:
        env.patience = TIMEOUT
        event = WaitableEvent()
        runner = ThreadPool().create_sequenced_task_runner()
        runner.post_delayed_task(3600, event.signal)
        assert event.wait()  # not for an hour
        child.pipe.write(b"x")
        assert wait(child.pipe, Signals.READABLE)[0] == Result.OK
        child.pipe.write(b"x")
        assert wait_many([(child.pipe, Signals.READABLE)])[0] == Result.OK
        waited = WaitSet()
        waited.add_handle(child.pipe, Signals.READABLE)
        child.pipe.read_batch()
        child.pipe.write(b"x")
        assert waited.wait().ready
        waited.remove_handle(child.pipe)
