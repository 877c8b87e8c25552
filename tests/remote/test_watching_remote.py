"""Watchers of handles whose peer is in another process (system rules §9)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from puppets import TIMEOUT, Puppet
from puppets.pipes import receive, send_numbers, wait_for

from mojo_seq import (
    DataPipe,
    MessagePipe,
    NotFoundError,
    NotificationFlags,
    Result,
    Signals,
    SignalsState,
    Watcher,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED
SYSTEM = NotificationFlags.FROM_SYSTEM


class Seen(NamedTuple):
    context: object
    result: Result
    state: SignalsState
    flags: NotificationFlags
    thread: str


class Log:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told = queue.SimpleQueue[Seen]()
        self.watcher = Watcher(self._notify)

    def _notify(
        self, context: object, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        self.told.put(Seen(context, result, state, flags, threading.current_thread().name))

    def next(self) -> Seen:
        return self.told.get(timeout=TIMEOUT)


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    with made.watcher:
        yield made


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


def test_a_message_from_another_process(child: Puppet, pipe: MessagePipe, log: Log) -> None:
    """System rules §9.3: on the thread of the system, flagged FROM_SYSTEM."""
    there = child.give(pipe.handle1)
    log.watcher.watch(pipe.handle0, R, "pipe")
    assert log.watcher.arm() == []
    there.write(b"x")
    seen = log.next()
    assert (seen.context, seen.result, seen.flags) == ("pipe", Result.OK, SYSTEM)
    assert seen.state.readable
    assert seen.thread == "mojo_seq-system"


def test_closing_in_another_process(child: Puppet, pipe: MessagePipe, log: Log) -> None:
    """System rules §9.1: satisfied, or never to be."""
    there = child.give(pipe.handle1)
    log.watcher.watch(pipe.handle0, PC, "closed")
    with Watcher(log._notify) as other:
        other.watch(pipe.handle0, R, "never readable")
        assert log.watcher.arm() == [] and other.arm() == []
        there.close()
        seen = {each.context: (each.result, each.flags) for each in (log.next(), log.next())}
    assert seen == {
        "closed": (Result.OK, SYSTEM),
        "never readable": (Result.FAILED_PRECONDITION, SYSTEM),
    }
    assert log.next().result is Result.CANCELLED  # of the other watcher


def test_the_death_of_another_process(
    puppets: Callable[[], Puppet], pipe: MessagePipe, log: Log
) -> None:
    """System rules §13.6."""
    child = puppets()
    child.give(pipe.handle1)
    log.watcher.watch(pipe.handle0, R, "pipe")
    assert log.watcher.arm() == []
    child.kill()
    seen = log.next()
    assert (seen.result, seen.flags) == (Result.FAILED_PRECONDITION, SYSTEM)
    assert seen.state == SignalsState(PC, PC)


def test_one_wave_for_each_arm(child: Puppet, pipe: MessagePipe, log: Log) -> None:
    """System rules §9.3: a later event is only recorded, and the next arm finds it."""
    there = child.give(pipe.handle1)
    log.watcher.watch(pipe.handle0, R, "pipe")
    assert log.watcher.arm() == []
    child.call(send_numbers, there, 0, 100)
    assert log.next().result is Result.OK
    for number in range(99):
        assert receive(pipe.handle0) == str(number).encode()
        (ready,) = log.watcher.arm()
        assert (ready.context, ready.result) == ("pipe", Result.OK)
    assert log.told.empty()
    assert receive(pipe.handle0) == b"99"
    assert log.watcher.arm() == []
    there.write(b"x")
    assert log.next().state.readable


def test_ready_when_armed(child: Puppet, pipe: MessagePipe, log: Log) -> None:
    """System rules §9.2: what is ready is returned, and nothing is notified."""
    child.give(pipe.handle1).write(b"x")
    wait_for(pipe.handle0, R)
    log.watcher.watch(pipe.handle0, R, "pipe")
    (ready,) = log.watcher.arm()
    assert ready.state.readable
    assert log.told.empty()


def test_a_watch_made_while_armed_fires_at_once(
    child: Puppet, message_pipes: MessagePipes, log: Log
) -> None:
    """System rules §9.1: if its condition is met; the flag tells that it was this call."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(b)
    there.write(b"x")
    wait_for(a, R)
    log.watcher.watch(c, R, "quiet")
    assert log.watcher.arm() == []
    log.watcher.watch(a, R, "ready")
    seen = log.next()
    assert (seen.context, seen.flags) == ("ready", NotificationFlags.NONE)
    d.close()


def test_changes_of_ones_own_are_not_from_the_system(
    child: Puppet, message_pipes: MessagePipes, log: Log
) -> None:
    """System rules §9.3: the flag is set iff the change came from another process."""
    a, b = message_pipes()
    log.watcher.watch(a, R, "local")
    assert log.watcher.arm() == []
    b.write(b"x")
    seen = log.next()
    assert seen.flags == NotificationFlags.NONE
    assert seen.thread == threading.current_thread().name


def test_the_flag_is_inherited(child: Puppet, message_pipes: MessagePipes, log: Log) -> None:
    """System rules §9.3: "by every notification provoked by API calls" in such a handler."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(b)
    log.watcher.watch(c, R, "local")
    assert log.watcher.arm() == []
    with Watcher(lambda *_: d.write(b"provoked")) as provoker:
        provoker.watch(a, R, "remote")
        assert provoker.arm() == []
        there.write(b"x")
        seen = log.next()
    assert (seen.context, seen.flags) == ("local", SYSTEM)
    assert seen.thread == "mojo_seq-system"


def test_an_own_close_is_cancelled_without_the_flag(
    child: Puppet, pipe: MessagePipe, log: Log
) -> None:
    """System rules §9.3: CANCELLED exactly once, on the thread that closes."""
    child.give(pipe.handle1)
    log.watcher.watch(pipe.handle0, R, "pipe")
    pipe.handle0.close()
    seen = log.next()
    assert (seen.result, seen.flags) == (Result.CANCELLED, NotificationFlags.NONE)
    assert log.told.empty()
    with pytest.raises(NotFoundError):
        log.watcher.arm()


def test_a_transfer_cancels(child: Puppet, message_pipes: MessagePipes, log: Log) -> None:
    """System rules §4.5: every watch on a handle that is sent away."""
    (a, b), (c, _) = message_pipes(), message_pipes()
    child.give(b)
    log.watcher.watch(a, R, "moves on")
    log.watcher.watch(c, R, "stays")
    assert log.watcher.arm() == []
    there = child.give(a)
    seen = log.next()
    assert (seen.context, seen.result) == ("moves on", Result.CANCELLED)
    assert log.told.empty()
    there.close()


def test_many_pipes_are_watched(child: Puppet, message_pipes: MessagePipes, log: Log) -> None:
    """System rules §9.2: each of a hundred is told, none twice, none missed."""
    pipes = [message_pipes() for _ in range(100)]
    for number, (a, b) in enumerate(pipes):
        child.give(b).write(b"x")
        log.watcher.watch(a, R, number)
    told = set[object]()
    while len(told) < 100:
        ready = log.watcher.arm()
        contexts = [each.context for each in ready] if ready else [log.next().context]
        for context in contexts:
            assert isinstance(context, int) and context not in told
            told.add(context)
            assert receive(pipes[context].handle0) == b"x"


def test_data_pipes_are_watched(child: Puppet, data_pipes: DataPipes, log: Log) -> None:
    """System rules §9, §8.2, §8.3: both ends, filled and drained by the other process."""
    (producer, far_consumer), (far_producer, consumer) = data_pipes(4), data_pipes(4)
    sink, source = child.give(far_consumer), child.give(far_producer)
    producer.write(b"abcd")
    log.watcher.watch(producer, W, "room")
    log.watcher.watch(consumer, R, "data")
    assert log.watcher.arm() == []
    sink.read(1)
    seen = log.next()
    assert (seen.context, seen.result, seen.flags) == ("room", Result.OK, SYSTEM)
    producer.write(b"e")
    assert log.watcher.arm() == []
    source.write(b"x")
    seen = log.next()
    assert (seen.context, seen.result, seen.flags) == ("data", Result.OK, SYSTEM)
    consumer.read()
    assert log.watcher.arm() == []
    source.close()
    seen = log.next()
    assert (seen.context, seen.result) == ("data", Result.FAILED_PRECONDITION)


def test_a_callback_that_reads_and_arms_again(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §9.4: all of it from within the handler; a thousand messages, in order."""
    there = child.give(pipe.handle1)
    received: list[bytes] = []
    done = threading.Event()

    def drain(
        context: object, result: Result, state: SignalsState, flags: NotificationFlags
    ) -> None:
        if result is Result.CANCELLED:
            return
        while True:
            received.extend(map(bytes, pipe.handle0.read_batch()))
            if len(received) == 1_000:
                done.set()
            if not watcher.arm():
                return

    with Watcher(drain) as watcher:
        watcher.watch(pipe.handle0, R, None)
        assert watcher.arm() == []
        child.call(send_numbers, there, 0, 1_000)
        assert done.wait(TIMEOUT)
    assert received == [str(number).encode() for number in range(1_000)]
