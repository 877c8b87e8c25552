"""Wait sets and simple watchers of remote handles (system rules §10, §11)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest
from puppets import TIMEOUT, Puppet
from puppets.pipes import receive, send_after, send_numbers

from mojo_seq import (
    ArmingPolicy,
    DataPipe,
    Handle,
    MessagePipe,
    Result,
    SequencedTaskRunner,
    Signals,
    SignalsState,
    SimpleWatcher,
    ThreadPool,
    WaitableEvent,
    WaitSet,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED


# ---- wait sets


def test_a_set_of_local_and_remote_handles_and_an_event(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §11: each is reported, and reported again until it is dealt with."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(d)
    event = WaitableEvent()
    waits = WaitSet()
    waits.add_handle(a, R)
    waits.add_handle(c, R)
    waits.add_event(event)
    assert waits.wait(timeout=0.001) == (None, [])
    child.begin(send_after, there, 0.02)
    for _ in range(3):
        (ready,) = waits.wait(timeout=TIMEOUT).ready
        assert (ready.handle, ready.result) == (c, Result.OK)
    child.finish()
    receive(c)
    b.write(b"x")
    assert [each.handle for each in waits.wait(timeout=TIMEOUT).ready] == [a]
    receive(a)
    event.signal()
    assert waits.wait(timeout=TIMEOUT).event is event
    event.reset()
    there.close()
    (ready,) = waits.wait(timeout=TIMEOUT).ready
    assert (ready.handle, ready.result) == (c, Result.FAILED_PRECONDITION)


def test_a_set_finds_each_of_many(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §11: two hundred are ready, and room for seven at a time."""
    pipes = [message_pipes() for _ in range(200)]
    waits = WaitSet()
    for a, b in pipes:
        waits.add_handle(a, R)
        child.give(b).write(b"x")
    found = set[Handle]()
    while len(found) < 200:
        for each in waits.wait(max_ready=7, timeout=TIMEOUT).ready:
            assert each.result is Result.OK
            if each.handle not in found:
                found.add(each.handle)
                receive(each.handle)  # type: ignore[arg-type]
    assert waits.wait(timeout=0).ready == []


def test_a_set_tells_that_a_handle_was_sent(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §11, §4.5: CANCELLED once, removed by itself."""
    (a, b), (c, _) = message_pipes(), message_pipes()
    child.give(b)
    waits = WaitSet()
    waits.add_handle(a, R)
    waits.add_handle(c, R)
    child.give(a)
    (ready,) = waits.wait(timeout=TIMEOUT).ready
    assert (ready.handle, ready.result) == (a, Result.CANCELLED)
    assert waits.wait(timeout=0).ready == []


def test_a_set_of_data_pipes(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §11: a producer with room again, a consumer with data."""
    (producer, far), (other, consumer) = data_pipes(4), data_pipes(4)
    sink, source = child.give(far), child.give(other)
    producer.write(b"abcd")
    waits = WaitSet()
    waits.add_handle(producer, W)
    waits.add_handle(consumer, R)
    assert waits.wait(timeout=0).ready == []
    sink.read(2)
    assert [each.handle for each in waits.wait(timeout=TIMEOUT).ready] == [producer]
    producer.write(b"ef")
    source.write(b"x")
    assert [each.handle for each in waits.wait(timeout=TIMEOUT).ready] == [consumer]


# ---- simple watchers


@pytest.fixture
def runner() -> Iterator[SequencedTaskRunner]:
    with ThreadPool(max_workers=2) as pool:
        yield pool.create_sequenced_task_runner()


class Told:
    """A callback that keeps what it is told, and where."""

    def __init__(self) -> None:
        self.outcomes = queue.SimpleQueue[tuple[Result, SignalsState]]()
        self.on_sequence = True
        self.runner: SequencedTaskRunner | None = None

    def __call__(self, result: Result, state: SignalsState) -> None:
        self.on_sequence &= bool(self.runner and self.runner.runs_tasks_in_current_sequence())
        self.outcomes.put((result, state))

    def next(self) -> tuple[Result, SignalsState]:
        return self.outcomes.get(timeout=TIMEOUT)


def on(runner: SequencedTaskRunner, function: Callable[..., object], *args: object) -> None:
    runner.submit(function, *args).result(TIMEOUT)


def test_a_simple_watcher_runs_on_its_sequence(
    child: Puppet, message_pipes: MessagePipes, runner: SequencedTaskRunner
) -> None:
    """System rules §10: never on the thread of the system; closing at last, once."""
    a, b = message_pipes()
    there = child.give(b)
    told = Told()
    told.runner = runner
    watcher = SimpleWatcher(ArmingPolicy.MANUAL, runner)
    on(runner, watcher.watch, a, R, told)
    for _ in range(10):
        on(runner, watcher.arm_or_notify)
        there.write(b"x")
        assert told.next()[0] is Result.OK
        receive(a)
    on(runner, watcher.arm_or_notify)
    there.close()
    assert told.next()[0] is Result.FAILED_PRECONDITION
    on(runner, watcher.close)
    assert told.on_sequence and told.outcomes.empty()


def test_an_automatic_watcher_drains_a_pipe(
    child: Puppet, message_pipes: MessagePipes, runner: SequencedTaskRunner
) -> None:
    """System rules §10: re-armed after each callback; all messages, in order."""
    a, b = message_pipes()
    there = child.give(b)
    received: list[bytes] = []
    done = threading.Event()

    def drain(result: Result, state: SignalsState) -> None:
        if result is Result.OK:
            received.extend(map(bytes, a.read_batch(10)))
        else:
            done.set()

    watcher = SimpleWatcher(task_runner=runner)
    on(runner, watcher.watch, a, R, drain)
    child.call(send_numbers, there, 0, 2_000)
    there.close()
    assert done.wait(TIMEOUT)
    on(runner, watcher.close)
    assert received == [str(number).encode() for number in range(2_000)]


def test_a_transfer_is_a_cancellation(
    child: Puppet, message_pipes: MessagePipes, runner: SequencedTaskRunner
) -> None:
    """System rules §10, §4.5: once; then it watches nothing and may watch again."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    child.give(b)
    told = Told()
    told.runner = runner
    watcher = SimpleWatcher(task_runner=runner)
    on(runner, watcher.watch, a, R, told)
    child.give(a)
    assert told.next()[0] is Result.CANCELLED
    on(runner, watcher.watch, c, R, told)
    d.write(b"x")
    assert told.next()[0] is Result.OK
    on(runner, watcher.close)


def test_many_simple_watchers(
    child: Puppet, message_pipes: MessagePipes, runner: SequencedTaskRunner
) -> None:
    """System rules §10: a hundred on one sequence, each told of its own pipe."""
    pipes = [message_pipes() for _ in range(100)]
    finished = queue.SimpleQueue[int]()
    watchers = []
    for number, (a, b) in enumerate(pipes):

        def notify(result: Result, state: SignalsState, number: int = number) -> None:
            if result is Result.OK:
                assert receive(pipes[number].handle0) == str(number).encode()
                finished.put(number)

        watcher = SimpleWatcher(task_runner=runner)
        on(runner, watcher.watch, a, R, notify)
        watchers.append(watcher)
        child.give(b).write(str(number).encode())
    assert sorted(finished.get(timeout=TIMEOUT) for _ in pipes) == list(range(100))
    for watcher in watchers:
        on(runner, watcher.close)
