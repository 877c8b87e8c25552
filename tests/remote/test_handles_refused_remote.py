"""Handles that a pipe between processes refuses, and what becomes of those it took (§4.5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.pipes import echo, receive, receive_handle, wait_for

from mojo_seq import (
    BusyError,
    DataPipe,
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Signals,
    Watcher,
    create_shared_buffer,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


@pytest.fixture
def carrier(child: Puppet, pipe: MessagePipe) -> MessagePipeHandle:
    """The near end of a pipe whose far end, in the child, sends all back."""
    there = child.give(pipe.handle1)
    child.begin(echo, there)
    return pipe.handle0


@pytest.fixture
def done(child: Puppet, carrier: MessagePipeHandle) -> Callable[[], int]:
    """Ends the echo; how many messages got there."""

    def finish() -> int:
        carrier.close()
        count: int = child.finish()
        return count

    return finish


Done = Callable[[], int]


def assert_works(a: MessagePipeHandle, b: MessagePipeHandle) -> None:
    a.write(b"still here")
    assert receive(b) == b"still here"


def test_a_handle_listed_twice(
    carrier: MessagePipeHandle, done: Done, message_pipes: MessagePipes
) -> None:
    """System rules §4.5: BUSY, nothing taken, nothing sent."""
    a, b = message_pipes()
    with pytest.raises(BusyError):
        carrier.write(b"x", [b, b])
    assert_works(a, b)
    assert done() == 0


def test_the_pipe_written_to(carrier: MessagePipeHandle, done: Done) -> None:
    """Public contract §3: BUSY."""
    with pytest.raises(BusyError):
        carrier.write(b"x", [carrier])
    carrier.write(b"y")
    assert receive(carrier) == b"y"
    assert done() == 1


def test_an_invalid_handle_among_good_ones(
    carrier: MessagePipeHandle, done: Done, message_pipes: MessagePipes
) -> None:
    """System rules §4.5: INVALID, nothing taken."""
    (a, b), (_, closed) = message_pipes(), message_pipes()
    closed.close()
    with pytest.raises(InvalidArgumentError):
        carrier.write(b"x", [b, closed])
    assert_works(a, b)
    assert done() == 0


def test_a_watcher(carrier: MessagePipeHandle, done: Done, message_pipes: MessagePipes) -> None:
    """Public contract §2: all but watchers can be attached."""
    a, b = message_pipes()
    with Watcher(lambda *_: None) as watcher, pytest.raises(InvalidArgumentError):
        carrier.write(b"x", [b, watcher])
    assert_works(a, b)
    assert done() == 0


def test_an_end_in_two_phase_io(
    carrier: MessagePipeHandle, done: Done, data_pipes: DataPipes, message_pipes: MessagePipes
) -> None:
    """System rules §5.4: BUSY; the operation goes on."""
    (a, b), (producer, consumer) = message_pipes(), data_pipes()
    with producer.begin_write() as window:
        with pytest.raises(BusyError):
            carrier.write(b"x", [b, producer])
        memoryview(window)[:2] = b"ok"
        window.commit(2)
    with consumer.begin_read(), pytest.raises(BusyError):
        carrier.write(b"x", [consumer])
    assert consumer.read() == b"ok"
    assert_works(a, b)
    assert done() == 0


def test_a_message_refused_stays_with_the_caller(
    carrier: MessagePipeHandle, done: Done, data_pipes: DataPipes, pipe: MessagePipe
) -> None:
    """Public contract §1: as it was; what it carries cannot leave in two-phase I/O."""
    producer, consumer = data_pipes()
    carrier.write(b"p", [producer])
    wait_for(carrier, Signals.READABLE)
    with carrier.read() as message:
        (handle,) = message.handles
        with handle.begin_write() as window:  # type: ignore[attr-defined]
            with pytest.raises(BusyError):
                carrier.write_message(message)
            window.commit(0)
        assert bytes(message) == b"p" and message.handles == (handle,)
        carrier.write_message(message)
    assert not handle.is_valid
    receive_handle(carrier).close()
    wait_for(consumer, Signals.PEER_CLOSED)
    assert done() == 2


def test_a_closed_peer_takes_no_handles(
    child: Puppet, pipe: MessagePipe, message_pipes: MessagePipes
) -> None:
    """Public contract §1: FAILED_PRECONDITION, and all is still the caller's."""
    a, b = message_pipes()
    child.give(pipe.handle1).close()
    wait_for(pipe.handle0, Signals.PEER_CLOSED)
    with pytest.raises(PeerClosedError):
        pipe.handle0.write(b"x", [b])
    with Message(b"y", [b]) as message:
        with pytest.raises(PeerClosedError):
            pipe.handle0.write_message(message)
        (b_again,) = message.take_handles()
        assert isinstance(b_again, MessagePipeHandle)
        assert_works(a, b_again)
        b_again.close()


def test_the_pipes_own_peer_after_it_came_home(
    child: Puppet, message_pipes: MessagePipes, closing: list[Handle]
) -> None:
    """Public contract §3: INVALID. Two ends that have travelled are still those of one pipe."""
    ends = [child.take(child.give(end)) for end in message_pipes()]
    closing += ends
    for here, there in (ends, ends[::-1]):
        with pytest.raises(InvalidArgumentError):
            here.write(b"x", [there])
        assert_works(here, there)


def test_the_pipes_own_peer_where_both_have_gone(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """Public contract §3, in the child."""
    a, b = map(child.give, message_pipes())
    with pytest.raises(InvalidArgumentError):
        a.write(b"x", [b])
    a.write(b"still here")
    assert child.call(receive, b) == b"still here"


# ---- what was sent


def test_a_sent_handle_is_dead(
    carrier: MessagePipeHandle, done: Done, message_pipes: MessagePipes, data_pipes: DataPipes
) -> None:
    """System rules §4.5: whatever its kind; closing it does nothing."""
    (a, b), (producer, consumer) = message_pipes(), data_pipes()
    sent: list[Handle] = [b, producer, create_shared_buffer(10)]
    carrier.write(b"", sent)
    for handle in sent:
        assert not handle.is_valid and handle.value == 0
        with pytest.raises(InvalidArgumentError):
            handle.query_signals_state()
        handle.close()
    wait_for(carrier, Signals.READABLE)
    with carrier.read() as message:
        arrived = message.take_handles()
    assert all(handle.value != 0 and handle not in sent for handle in arrived)
    assert isinstance(arrived[0], MessagePipeHandle)
    assert_works(a, arrived[0])
    for handle in arrived:
        handle.close()
    wait_for(consumer, Signals.PEER_CLOSED)
    assert done() == 1


def test_a_message_without_serializer_is_refused(carrier: MessagePipeHandle, done: Done) -> None:
    """Public contract §3: FAILED_PRECONDITION, and the message keeps its object."""
    thing = object()
    with Message.from_object(thing) as message:
        with pytest.raises(FailedPreconditionError):
            carrier.write_message(message)
        assert message.context is thing
    assert done() == 0
