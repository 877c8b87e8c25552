"""Handles that may not travel, or not now: the failure table (system rules §4.5).

Everything passed in still belongs to the caller afterwards, unlike in Mojo (public contract §1).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mojo_seq import (
    BusyError,
    DataPipe,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Watcher,
    wrap_fd,
)

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
Attach = Callable[[list[Any]], object]


@pytest.fixture(params=["write", "Message", "allocate", "extend"])
def attach(request: pytest.FixtureRequest, message_pipes: MessagePipes) -> Attach:
    """Each call that takes handles, as a function of the list."""
    carrier = message_pipes().handle0
    message = Message()
    request.addfinalizer(message.close)
    calls: dict[str, Attach] = {
        "write": lambda handles: carrier.write(b"", handles),
        "Message": lambda handles: Message(b"", handles),
        "allocate": lambda handles: Message.allocate(1, handles),
        "extend": lambda handles: message.extend(1, handles),
    }
    name: str = request.param
    return calls[name]


def connected(one: MessagePipeHandle, other: MessagePipeHandle) -> bool:
    """Whether both still talk to each other."""
    one.write(b"ping")
    other.write(b"pong")
    return bytes(other.read()) == b"ping" and bytes(one.read()) == b"pong"


def test_closed_handle_is_invalid(attach: Attach, message_pipes: MessagePipes) -> None:
    """System rules §4.5: nothing is taken, whatever the place in the list."""
    (a, b), (_, closed) = message_pipes(), message_pipes()
    closed.close()
    for handles in ([b, closed], [closed, b]):
        with pytest.raises(InvalidArgumentError):
            attach(handles)
    assert connected(a, b)


def test_handle_listed_twice_is_busy(attach: Attach, message_pipes: MessagePipes) -> None:
    """System rules §4.5."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    with pytest.raises(BusyError):
        attach([b, d, b])
    assert connected(a, b)
    assert connected(c, d)


def test_producer_in_two_phase_is_busy(
    attach: Attach, data_pipes: DataPipes, message_pipes: MessagePipes
) -> None:
    """System rules §5.4: and its window goes on working."""
    producer, consumer = data_pipes(4)
    a, b = message_pipes()
    window = producer.begin_write()
    with pytest.raises(BusyError):
        attach([b, producer])
    memoryview(window)[:2] = b"ok"
    window.commit(2)
    assert consumer.read() == b"ok"
    assert connected(a, b)


def test_consumer_in_two_phase_is_busy(
    attach: Attach, data_pipes: DataPipes, message_pipes: MessagePipes
) -> None:
    """System rules §5.4."""
    producer, consumer = data_pipes(4)
    a, b = message_pipes()
    producer.write(b"ok")
    window = consumer.begin_read()
    with pytest.raises(BusyError):
        attach([b, consumer])
    assert bytes(window) == b"ok"
    window.consume(2)
    assert connected(a, b)


def test_handle_held_by_another_message_is_refused(
    attach: Attach, message_pipes: MessagePipes
) -> None:
    """System rules §3: its value is dead at once (or busy, for batches of `extend`)."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    with Message(b"", [b]) as holder:
        with pytest.raises((InvalidArgumentError, BusyError)):
            attach([d, b])
        (back,) = holder.take_handles()
    assert isinstance(back, MessagePipeHandle)
    with back:
        assert connected(a, back)
    assert connected(c, d)


def test_watcher_cannot_travel(attach: Attach, message_pipes: MessagePipes) -> None:
    """System rules §4.5: INVALID_ARGUMENT, nothing taken."""
    a, b = message_pipes()
    with Watcher(lambda *_: None) as watcher:
        with pytest.raises(InvalidArgumentError):
            attach([b, watcher])
        assert watcher.is_valid
    assert connected(a, b)


@pytest.mark.parametrize("wrong", [None, 5, "handle", object()])
def test_something_else_is_a_type_error(
    attach: Attach, message_pipes: MessagePipes, wrong: object
) -> None:
    """Public contract §1: and nothing is taken."""
    a, b = message_pipes()
    with pytest.raises(TypeError):
        attach([b, wrong])
    assert connected(a, b)


def test_bare_handle_instead_of_a_list_is_a_type_error(
    attach: Attach, message_pipes: MessagePipes
) -> None:
    """Public contract §1: `handles` is an iterable."""
    a, b = message_pipes()
    wrong: Any = b
    with pytest.raises(TypeError):
        attach(wrong)
    assert connected(a, b)


def test_iterable_that_raises_takes_nothing(attach: Attach, message_pipes: MessagePipes) -> None:
    """Public contract §1: its own exception comes out."""
    a, b = message_pipes()

    def handles() -> Iterator[Handle]:
        yield b
        raise ZeroDivisionError

    wrong: Any = handles()
    with pytest.raises(ZeroDivisionError):
        attach(wrong)
    assert connected(a, b)


def test_iterable_that_closes_a_handle_is_survived(
    attach: Attach, message_pipes: MessagePipes
) -> None:
    """System rules §2: handles are checked when all are known; the other one is kept."""
    (a, b), (_, d) = message_pipes(), message_pipes()

    def handles() -> Iterator[Handle]:
        yield d
        d.close()
        yield b

    wrong: Any = handles()
    with pytest.raises(InvalidArgumentError):
        attach(wrong)
    assert connected(a, b)


# ---- pipes inside themselves


def test_pipe_over_itself_is_busy(pipe: MessagePipe, message_pipes: MessagePipes) -> None:
    """Public contract §3: the very pipe written to."""
    c, d = message_pipes()
    with pytest.raises(BusyError):
        pipe.handle0.write(b"", [d, pipe.handle0])
    assert connected(*pipe)
    assert connected(c, d)


def test_message_holding_the_pipe_it_is_written_to(pipe: MessagePipe) -> None:
    """System rules §4.5: the handle is in the message, so the pipe cannot be written to."""
    message = Message(b"", [pipe.handle0])
    with pytest.raises((InvalidArgumentError, BusyError)):
        pipe.handle0.write_message(message)
    (back,) = message.take_handles()
    message.close()
    assert isinstance(back, MessagePipeHandle)
    with back:
        assert connected(back, pipe.handle1)


def test_pipes_own_peer_is_invalid(pipe: MessagePipe, message_pipes: MessagePipes) -> None:
    """System rules §4.5."""
    c, d = message_pipes()
    with pytest.raises(InvalidArgumentError):
        pipe.handle0.write(b"", [d, pipe.handle1])
    assert connected(*pipe)
    assert connected(c, d)


def test_message_holding_the_pipes_own_peer(pipe: MessagePipe) -> None:
    """System rules §4.5: the message stays with the caller, and the peer in it."""
    message = Message(b"kept", [pipe.handle1])
    with pytest.raises(InvalidArgumentError):
        pipe.handle0.write_message(message)
    assert bytes(message) == b"kept"
    (back,) = message.take_handles()
    message.close()
    assert isinstance(back, MessagePipeHandle)
    with back:
        assert connected(pipe.handle0, back)


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_pipe_inside_itself_indirectly_is_invalid(message_pipes: MessagePipes, depth: int) -> None:
    """A loop of pipes queued in each other could be reached by nobody, and would leak."""
    first, inner = message_pipes()
    outermost = inner
    for _ in range(depth):
        a, b = message_pipes()
        a.write(b"", [outermost])
        outermost = b
    with pytest.raises(InvalidArgumentError):
        first.write(b"", [outermost])
    for _ in range(depth):
        with outermost, outermost.read() as message:
            (handle,) = message.take_handles()
        assert isinstance(handle, MessagePipeHandle)
        outermost = handle
    with outermost:
        assert connected(first, outermost)


# ---- order of checks


def test_bad_handle_is_found_before_the_closed_peer(message_pipes: MessagePipes) -> None:
    """System rules §3, §4.2: attaching comes before writing."""
    (a, b), (_, closed) = message_pipes(), message_pipes()
    b.close()
    closed.close()
    with pytest.raises(InvalidArgumentError):
        a.write(b"", [closed])


def test_closed_peer_gives_the_handles_back(message_pipes: MessagePipes) -> None:
    """Public contract §1: a write that fails takes nothing."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    b.close()
    with pytest.raises(PeerClosedError):
        a.write(b"x", [d])
    assert d.is_valid
    assert connected(c, d)


def test_closed_pipe_gives_the_handles_back(message_pipes: MessagePipes) -> None:
    """Public contract §1."""
    (a, _), (c, d) = message_pipes(), message_pipes()
    a.close()
    with pytest.raises(InvalidArgumentError):
        a.write(b"x", [d])
    assert connected(c, d)


def test_bad_payload_gives_the_handles_back(pipe: MessagePipe, message_pipes: MessagePipes) -> None:
    """Public contract §1."""
    c, d = message_pipes()
    wrong: Any = "text"
    with pytest.raises(TypeError):
        pipe.handle0.write(wrong, [d])
    with pytest.raises(TypeError):
        Message(wrong, [d])
    assert connected(c, d)


def test_failed_attach_keeps_the_descriptor_open(attach: Attach) -> None:
    """Public contract §1: a platform handle's descriptor is not closed on the way."""
    fd = os.open("/dev/null", os.O_RDONLY)
    with wrap_fd(fd) as handle:
        with pytest.raises(BusyError):
            attach([handle, handle])
        os.fstat(fd)
