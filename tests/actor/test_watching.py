"""self.watch: pipes as inputs and outputs of actors (public contract §11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.fixtures import Spawn, WaitEnded
from troupe.plumbing import Plumber

from mojo_seq import (
    Handle,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Result,
    Signals,
    create_data_pipe,
    create_message_pipe,
    wait,
)


@pytest.fixture
def pipes(settled: None) -> Iterator[Callable[[], MessagePipe]]:
    """Makes message pipes and closes them at the end of the test."""
    handles: list[Handle] = []

    def make() -> MessagePipe:
        pipe = create_message_pipe()
        handles.extend(pipe)
        return pipe

    yield make
    while handles:
        handles.pop().close()


def answer(pipe: MessagePipeHandle) -> bytes:
    assert wait(pipe, Signals.READABLE, TIMEOUT)[0] is Result.OK
    with pipe.read() as message:
        return bytes(message)


def wait_closed(pipe: MessagePipeHandle) -> None:
    assert wait(pipe, Signals.PEER_CLOSED, TIMEOUT)[0] is Result.OK


def test_an_actor_serves_a_message_pipe(
    spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe]
) -> None:
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    plumber.serve(its).result(TIMEOUT)
    for i in range(100):
        ours.write(b"message %d" % i)
    assert [answer(ours) for _ in range(100)] == [b"MESSAGE %d" % i for i in range(100)]


def test_a_pipe_as_a_constructor_argument(
    spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe]
) -> None:
    ours, its = pipes()
    ours.write(b"before")
    spawn(Plumber, journal.ref, its)
    assert answer(ours) == b"BEFORE"
    ours.write(b"after")
    assert answer(ours) == b"AFTER"


def test_several_pipes_of_one_actor(
    spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe]
) -> None:
    plumber = spawn(Plumber, journal.ref)
    ours = []
    for _ in range(5):
        mine, its = pipes()
        plumber.serve(its).result(TIMEOUT)
        ours.append(mine)
    for number, pipe in enumerate(ours):
        pipe.write(b"to %d" % number)
    assert [answer(pipe) for pipe in ours] == [b"TO %d" % number for number in range(5)]


def test_an_actor_reads_a_data_pipe(spawn: Spawn, journal: Journal) -> None:
    producer, consumer = create_data_pipe(64)
    plumber = spawn(Plumber, journal.ref)
    with producer:
        plumber.copy(consumer).result(TIMEOUT)
        producer.write(b"some data")
        assert journal.next() == b"some data"
        producer.write(b"more")
        assert journal.next() == b"more"
    assert journal.next() == "end of data"


def test_the_peers_end_is_told(
    spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe]
) -> None:
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    plumber.serve(its).result(TIMEOUT)
    ours.write(b"last")
    assert answer(ours) == b"LAST"
    ours.close()
    assert journal.next() == ("ended", "FAILED_PRECONDITION")
    assert plumber.work(1).result(TIMEOUT) == 1
    assert journal.rest() == []


@pytest.mark.parametrize(("end", "kind"), [("stop", "stopped"), ("kill", "killed")])
def test_nothing_comes_after_the_end(
    spawn: Spawn,
    journal: Journal,
    pipes: Callable[[], MessagePipe],
    wait_ended: WaitEnded,
    end: str,
    kind: str,
) -> None:
    # Contract: cancelled when it stops.
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    plumber.serve(its).result(TIMEOUT)
    ours.write(b"first")
    assert answer(ours) == b"FIRST"
    getattr(plumber, end)()
    wait_ended(plumber)
    assert journal.next() == kind
    wait_closed(ours)
    with pytest.raises(PeerClosedError):
        ours.write(b"second")
    assert journal.rest() == []


def test_cancel(spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe]) -> None:
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    plumber.serve(its).result(TIMEOUT)
    assert plumber.watched().result(TIMEOUT) == [True]
    assert plumber.unwatch().result(TIMEOUT) == 1
    assert plumber.watched().result(TIMEOUT) == [False]
    ours.write(b"nobody reads this")
    plumber.work().result(TIMEOUT)
    assert wait(ours, Signals.READABLE, 0)[0] is Result.DEADLINE_EXCEEDED


def test_cancelled_in_its_own_callback(
    spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe]
) -> None:
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    ours.write(b"one")
    ours.write(b"two")
    plumber.count_notifications(its).result(TIMEOUT)
    assert journal.next() == ("news", "OK")
    plumber.work().result(TIMEOUT)
    assert journal.rest() == []


def test_callbacks_wait_for_an_async_method(
    spawn: Spawn, journal: Journal, gate: Gate, pipes: Callable[[], MessagePipe]
) -> None:
    # One thing at a time.
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    plumber.count_notifications(its).result(TIMEOUT)
    plumber.hold_in_turn.tell(gate.ref)
    assert journal.next() == "held"
    ours.write(b"news")
    assert journal.rest() == []
    gate.open()
    assert journal.take(2) == ["released", ("news", "OK")]


def test_an_error_in_a_callback_is_a_failure(
    spawn: Spawn, journal: Journal, pipes: Callable[[], MessagePipe], wait_ended: WaitEnded
) -> None:
    ours, its = pipes()
    plumber = spawn(Plumber, journal.ref)
    plumber.watch_and_fail(its).result(TIMEOUT)
    ours.write(b"news")
    reason = wait_ended(plumber)
    assert (reason.kind, str(reason.error)) == ("failed", "watching")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((3, 1, print), "TypeError"), ((None, Signals.READABLE, print), "TypeError")],
)
def test_misuse(spawn: Spawn, journal: Journal, arguments: tuple[object, ...], error: str) -> None:
    plumber = spawn(Plumber, journal.ref)
    assert plumber.try_watch(*arguments).result(TIMEOUT) == error
    assert plumber.try_watch_closed().result(TIMEOUT) == "InvalidArgumentError"
    assert plumber.work(1).result(TIMEOUT) == 1
