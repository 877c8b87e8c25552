"""Message pipes: writing, reading, closure (public contract §3, system rules §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    create_message_pipe,
)

MessagePipes = Callable[[], MessagePipe]


def drain(end: MessagePipeHandle) -> list[bytes]:
    """Everything readable now."""
    return [bytes(message) for message in end.read_batch(1_000_000)]


def test_create_gives_a_named_pair_of_different_handles(pipe: MessagePipe) -> None:
    """Public contract §3, system rules §4.1."""
    assert isinstance(pipe, tuple)
    assert isinstance(pipe, MessagePipe)
    assert pipe == (pipe.handle0, pipe.handle1)
    assert pipe.handle0.value != pipe.handle1.value


# ---- immediate I/O


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4095, 4096, 65_536, 1_000_003])
def test_payload_arrives_whole(pipe: MessagePipe, size: int) -> None:
    """System rules §4: message boundaries are kept at every size."""
    payload = bytes(i % 251 for i in range(size))
    pipe.handle0.write(payload)
    pipe.handle0.write(b"next")
    with pipe.handle1.read() as received:
        assert bytes(received) == payload
    assert drain(pipe.handle1) == [b"next"]


def test_message_is_readable_before_write_returns(pipe: MessagePipe) -> None:
    """System rules §4.2: the local fast path."""
    pipe.handle0.write(b"x")
    assert pipe.handle1.query_signals_state().readable


def test_messages_come_in_the_order_written(pipe: MessagePipe) -> None:
    """Public contract §3: FIFO per direction, unbounded, never blocking."""
    sent = [str(i).encode() for i in range(10_000)]
    for payload in sent:
        pipe.handle0.write(payload)
    assert drain(pipe.handle1) == sent


def test_directions_are_independent(pipe: MessagePipe) -> None:
    """Public contract §3."""
    pipe.handle0.write(b"there")
    pipe.handle1.write(b"back")
    assert drain(pipe.handle0) == [b"back"]
    assert drain(pipe.handle1) == [b"there"]


def test_default_write_is_an_empty_message(pipe: MessagePipe) -> None:
    """System rules §4.2: empty payload and no handles is a valid message."""
    pipe.handle0.write()
    with pipe.handle1.read() as received:
        assert bytes(received) == b""
        assert received.handles == ()


def test_writing_copies_the_payload(pipe: MessagePipe) -> None:
    """The caller's buffer is its own again when write returns, and free to be resized."""
    payload = bytearray(b"first")
    pipe.handle0.write(payload)
    payload[:] = b"second, longer"
    assert drain(pipe.handle1) == [b"first"]


def test_failed_write_lets_go_of_the_buffer(pipe: MessagePipe) -> None:
    """Public contract §1: nothing is lost; a kept export would make resizing fail."""
    payload = bytearray(b"x")
    pipe.handle1.close()
    with pytest.raises(PeerClosedError):
        pipe.handle0.write(payload)
    payload.append(1)


def test_numpy_arrays_are_payloads(pipe: MessagePipe) -> None:
    """Public contract: any C-contiguous buffer."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    pipe.handle0.write(array)
    with pipe.handle1.read() as received:
        back: Any = np.frombuffer(received.payload, dtype=np.float32).reshape(3, 4)
        assert (back == array).all()
        del back


@pytest.mark.parametrize("wrong", ["text", None, 5, object(), [1]])
def test_payload_of_the_wrong_type_is_a_type_error(pipe: MessagePipe, wrong: Any) -> None:
    """Public contract §1. Nothing is written."""
    with pytest.raises(TypeError):
        pipe.handle0.write(wrong)
    assert drain(pipe.handle1) == []


def test_payload_that_is_not_contiguous_is_a_buffer_error(pipe: MessagePipe) -> None:
    """Public contract: C-contiguous."""
    with pytest.raises(BufferError):
        pipe.handle0.write(np.zeros((4, 4))[:, 1])
    assert drain(pipe.handle1) == []


def test_reading_an_empty_pipe_should_wait(pipe: MessagePipe) -> None:
    """System rules §4.3."""
    with pytest.raises(ShouldWaitError):
        pipe.handle0.read()


# ---- write_message


def test_written_message_is_consumed(pipe: MessagePipe) -> None:
    """Public contract §3: invalid on success, and so cannot be written twice."""
    message = Message(b"once")
    pipe.handle0.write_message(message)
    with pytest.raises(InvalidArgumentError):
        _ = message.payload
    with pytest.raises(InvalidArgumentError):
        pipe.handle0.write_message(message)
    assert drain(pipe.handle1) == [b"once"]


def test_received_message_can_be_written_on(message_pipes: MessagePipes) -> None:
    """System rules §4.3: as is, with its handles."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    a.write(b"forwarded", [f])
    c.write_message(b.read())
    with d.read() as received:
        assert bytes(received) == b"forwarded"
        (handle,) = received.handles
        e.write(b"x")
        assert isinstance(handle, MessagePipeHandle)
        assert drain(handle) == [b"x"]


def test_view_of_a_received_payload_survives_writing_it_on(message_pipes: MessagePipes) -> None:
    """Public contract §3: only writable views stand in the way."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write(b"both see it")
    message = b.read()
    with message.payload as view:
        c.write_message(message)
        with d.read() as received:
            assert bytes(received) == b"both see it"
        assert view.tobytes() == b"both see it"


@pytest.mark.parametrize("wrong", [b"bytes", None, 5], ids=repr)
def test_write_message_wants_a_message(pipe: MessagePipe, wrong: Any) -> None:
    """Public contract §1."""
    with pytest.raises(TypeError):
        pipe.handle0.write_message(wrong)


# ---- closure

CALLS: dict[str, Callable[[MessagePipeHandle], object]] = {
    "write": lambda end: end.write(b"x"),
    "write_message": lambda end: end.write_message(Message(b"x")),
    "write_batch": lambda end: end.write_batch([b"x"]),
    "read": lambda end: end.read(),
    "read_batch": lambda end: end.read_batch(),
}
WRITES = ["write", "write_message", "write_batch"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("peer_closed", [False, True])
def test_closed_end_is_invalid(
    pipe: MessagePipe, call: Callable[[MessagePipeHandle], object], peer_closed: bool
) -> None:
    """System rules §4.2, §4.3: a dead handle comes before a closed peer."""
    pipe.handle1.write(b"unread")
    pipe.handle0.close()
    if peer_closed:
        pipe.handle1.close()
    with pytest.raises(InvalidArgumentError):
        call(pipe.handle0)


@pytest.mark.parametrize("name", WRITES)
def test_writing_to_a_closed_peer_fails(pipe: MessagePipe, name: str) -> None:
    """System rules §4.2: even while this side still has unread messages, which stay."""
    pipe.handle1.write(b"unread")
    pipe.handle1.close()
    with pytest.raises(PeerClosedError):
        CALLS[name](pipe.handle0)
    assert drain(pipe.handle0) == [b"unread"]


def test_messages_written_before_closure_stay_readable(pipe: MessagePipe) -> None:
    """System rules §4.3: drained first, closure after."""
    pipe.handle0.write(b"1")
    pipe.handle0.write(b"2")
    pipe.handle0.close()
    assert bytes(pipe.handle1.read()) == b"1"
    assert bytes(pipe.handle1.read()) == b"2"
    with pytest.raises(PeerClosedError):
        pipe.handle1.read()


def test_failed_write_message_leaves_the_message_usable(message_pipes: MessagePipes) -> None:
    """Public contract §1: payload and handles still belong to the caller."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    b.close()
    message = Message(b"kept", [d])
    with pytest.raises(PeerClosedError):
        a.write_message(message)
    e.write_message(message)
    with f.read() as received:
        assert bytes(received) == b"kept"
        (handle,) = received.handles
        c.write(b"x")
        assert isinstance(handle, MessagePipeHandle)
        assert drain(handle) == [b"x"]


def test_many_pipes_at_once() -> None:
    """Idle pipes cost memory only: no descriptor, so no limit of theirs."""
    pipes = [create_message_pipe() for _ in range(5_000)]
    for index, (a, _) in enumerate(pipes):
        a.write(str(index).encode())
    assert [bytes(b.read()) for _, b in pipes] == [str(i).encode() for i in range(5_000)]
    for a, b in pipes:
        a.close()
        b.close()
