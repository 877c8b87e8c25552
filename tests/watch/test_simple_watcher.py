"""SimpleWatcher: what can be watched, where callbacks run (public contract §9, rules §10)."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest

from mojo_seq import (
    AlreadyExistsError,
    AsyncioTaskRunner,
    InvalidArgumentError,
    MessagePipe,
    Result,
    RunLoop,
    SequencedTaskRunner,
    Signals,
    SignalsState,
    SimpleWatcher,
    ThreadPool,
    create_data_pipe,
    wrap_fd,
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


def ignore(result: Result, state: SignalsState) -> None:
    """A callback for tests that look at something else."""


def test_without_a_sequence_there_is_no_watcher() -> None:
    # Public contract §9: made outside a sequence without a task_runner -> RuntimeError.
    with pytest.raises(RuntimeError):
        SimpleWatcher()


def test_with_a_task_runner_it_can_be_made_outside_a_sequence(loop: RunLoop) -> None:
    # Public contract §9.
    watcher = SimpleWatcher(task_runner=loop.task_runner)
    assert not watcher.is_watching
    run_on(loop, watcher.close)


def test_a_new_watcher_watches_nothing(loop: RunLoop) -> None:
    # Public contract §9: handle is None when idle.
    def step() -> None:
        watcher = SimpleWatcher()
        assert not watcher.is_watching and watcher.handle is None
        watcher.close()

    run_on(loop, step)


def test_watching_sets_handle_and_is_watching(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10.
    def step() -> None:
        watcher = SimpleWatcher()
        watcher.watch(pipe.handle0, Signals.READABLE, ignore)
        assert watcher.is_watching and watcher.handle is pipe.handle0
        watcher.cancel()
        assert not watcher.is_watching and watcher.handle is None

    run_on(loop, step)


def test_watching_while_watching_is_refused(loop: RunLoop, make_pipe: MakePipe) -> None:
    # Public contract §9: AlreadyExistsError, and the first watch goes on.
    first, second = make_pipe(), make_pipe()
    results: list[Result] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        first.handle0.read()

    def step() -> None:
        watcher.watch(first.handle0, Signals.READABLE, callback)
        for handle in (first.handle0, second.handle0):
            with pytest.raises(AlreadyExistsError):
                watcher.watch(handle, Signals.READABLE, ignore)
        assert watcher.handle is first.handle0
        first.handle1.write(b"x")

    run_on(loop, step)
    assert results == [Result.OK]
    run_on(loop, watcher.close)


def test_a_closed_handle_is_refused(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10: INVALID, is_watching False, callback dropped.
    pipe.handle0.close()

    def step() -> None:
        watcher = SimpleWatcher()
        with pytest.raises(InvalidArgumentError):
            watcher.watch(pipe.handle0, Signals.READABLE, ignore)
        assert not watcher.is_watching and watcher.handle is None

    run_on(loop, step)


def test_an_unwatchable_handle_is_refused(loop: RunLoop) -> None:
    # System rules §8.4, §10.
    def step() -> None:
        watcher = SimpleWatcher()
        with (
            wrap_fd(os.open(os.devnull, os.O_RDONLY)) as platform,
            pytest.raises(InvalidArgumentError),
        ):
            watcher.watch(platform, Signals.READABLE, ignore)
        assert not watcher.is_watching

    run_on(loop, step)


def test_the_callback_gets_result_and_state(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10.
    seen: list[tuple[Result, SignalsState]] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        seen.append((result, state))
        pipe.handle0.read()

    run_on(loop, lambda: watcher.watch(pipe.handle0, Signals.READABLE, callback))
    run_on(loop, lambda: pipe.handle1.write(b"x"))
    [(result, state)] = seen
    assert result is Result.OK and state.readable
    run_on(loop, watcher.close)


def test_a_handle_ready_at_watch_is_reported_by_a_task(loop: RunLoop, pipe: MessagePipe) -> None:
    # System rules §10: by a posted task, never inside watch().
    results: list[Result] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)
    pipe.handle1.write(b"x")

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        pipe.handle0.read()

    def step() -> None:
        watcher.watch(pipe.handle0, Signals.READABLE, callback)
        assert results == []

    run_on(loop, step)
    assert results == [Result.OK]
    run_on(loop, watcher.close)


def test_callbacks_are_posted_even_for_changes_on_their_own_sequence(
    loop: RunLoop, pipe: MessagePipe
) -> None:
    # System rules §10: always post.
    results: list[Result] = []
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    def callback(result: Result, state: SignalsState) -> None:
        results.append(result)
        pipe.handle0.read()

    def step() -> None:
        pipe.handle1.write(b"x")
        assert results == []

    run_on(loop, lambda: watcher.watch(pipe.handle0, Signals.READABLE, callback))
    run_on(loop, step)
    assert results == [Result.OK]
    run_on(loop, watcher.close)


def test_callbacks_run_on_the_sequence_whoever_made_the_change(pipe: MessagePipe) -> None:
    # Public contract §9: only as tasks posted to its sequence.
    where: Future[SequencedTaskRunner] = Future()
    with ThreadPool(max_workers=2) as pool:
        runner = pool.create_sequenced_task_runner()
        watcher = SimpleWatcher(task_runner=runner)

        def callback(result: Result, state: SignalsState) -> None:
            pipe.handle0.read()
            where.set_result(SequencedTaskRunner.current())

        runner.submit(watcher.watch, pipe.handle0, Signals.READABLE, callback).result(TIMEOUT)
        pipe.handle1.write(b"x")
        assert where.result(TIMEOUT) == runner
        runner.submit(watcher.close).result(TIMEOUT)


def test_a_data_pipe_can_be_watched(loop: RunLoop) -> None:
    # Public contract §9: any handle with signals.
    results: list[bytes] = []
    producer, consumer = create_data_pipe(16)
    watcher = SimpleWatcher(task_runner=loop.task_runner)

    with producer, consumer:
        run_on(
            loop,
            lambda: watcher.watch(
                consumer, Signals.READABLE, lambda result, state: results.append(consumer.read())
            ),
        )
        run_on(loop, lambda: producer.write(b"abc"))
        run_on(loop, lambda: producer.write(b"def"))
        assert results == [b"abc", b"def"]
        run_on(loop, watcher.close)


def test_on_an_event_loop(pipe: MessagePipe) -> None:
    # Public contract §8, §9: an AsyncioTaskRunner is a sequence like any other.
    async def main() -> None:
        runner = AsyncioTaskRunner()
        got: list[bytes] = []
        done = asyncio.Event()

        def callback(result: Result, state: SignalsState) -> None:
            assert runner.runs_tasks_in_current_sequence()
            got.append(bytes(pipe.handle0.read()))
            if len(got) == 3:
                done.set()

        def start() -> SimpleWatcher:
            watcher = SimpleWatcher()
            watcher.watch(pipe.handle0, Signals.READABLE, callback)
            return watcher

        watcher = await asyncio.wrap_future(runner.submit(start))
        for payload in (b"1", b"2", b"3"):
            await asyncio.to_thread(pipe.handle1.write, payload)
        await asyncio.wait_for(done.wait(), TIMEOUT)
        await asyncio.wrap_future(runner.submit(watcher.close))
        assert got == [b"1", b"2", b"3"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["create_sequenced", "create_single_thread"])
def test_events_after_the_sequences_end_are_dropped(pipe: MessagePipe, kind: str) -> None:
    # Public contract §8, §9: callbacks are tasks, and there is nobody to run them.
    results: list[Result] = []
    with ThreadPool(max_workers=1) as pool:
        runner = getattr(pool, f"{kind}_task_runner")()
        watcher = SimpleWatcher(task_runner=runner)

        def callback(result: Result, state: SignalsState) -> None:
            results.append(result)

        runner.submit(watcher.watch, pipe.handle0, Signals.READABLE, callback).result(TIMEOUT)
    pipe.handle1.write(b"x")
    pipe.handle0.close()
    assert results == []
