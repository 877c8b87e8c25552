"""Serialized messages: payload, handles, the end of them (public contract §3, system rules §3)."""

from __future__ import annotations

import array
import copy
import gc
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    NotFoundError,
)

MessagePipes = Callable[[], MessagePipe]


@pytest.mark.parametrize(
    "payload",
    [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"memoryview"),
        memoryview(bytearray(b"writable view")),
        array.array("I", [1, 2, 3]),
        np.arange(6, dtype=np.float64),
        np.arange(6, dtype=np.int16).reshape(2, 3),
        b"",
    ],
    ids=lambda payload: f"{type(payload).__name__}-{len(payload)}",
)
def test_payload_is_the_bytes_of_any_buffer(payload: Any) -> None:
    """Public contract: `Buffer` is any C-contiguous buffer."""
    with Message(payload) as message:
        assert message.is_serialized
        assert bytes(message) == bytes(payload)
        assert len(message) == memoryview(payload).nbytes


def test_payload_is_copied_at_construction() -> None:
    """Public contract §3: the caller may go on using its buffer."""
    source = bytearray(b"before")
    with Message(source) as message:
        source[:] = b"after, and longer"
        assert bytes(message) == b"before"


@pytest.mark.parametrize("wrong", ["text", None, 5, [1, 2], object()])
def test_payload_of_the_wrong_type_is_a_type_error(wrong: Any) -> None:
    """Public contract §1. (An int is not a size here, as it would be for `bytes`.)"""
    with pytest.raises(TypeError):
        Message(wrong)


def test_payload_that_is_not_contiguous_is_a_buffer_error() -> None:
    """Public contract: C-contiguous."""
    with pytest.raises(BufferError):
        Message(np.arange(10)[::2])


def test_message_without_arguments_is_empty() -> None:
    """System rules §4.2: an empty payload without handles is a valid message."""
    with Message() as message:
        assert bytes(message) == b""
        assert message.handles == ()


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_a_message_is_always_true(payload: bytes) -> None:
    """Public contract §3: `if message:` does not mean `if len(message):`."""
    with Message(payload) as message:
        assert message


def test_payload_is_a_view_of_bytes() -> None:
    """Public contract §3."""
    with Message(b"abc") as message:
        view = message.payload
        assert isinstance(view, memoryview)
        assert (view.format, view.ndim, view.nbytes) == ("B", 1, 3)
        view.release()


# ---- the end of a message


def closed_message() -> Message:
    message = Message(b"gone")
    message.close()
    return message


def operations() -> Iterator[tuple[str, Callable[[Message], object]]]:
    yield "payload", lambda m: m.payload
    yield "handles", lambda m: m.handles
    yield "take_handles", lambda m: m.take_handles()
    yield "context", lambda m: m.context
    yield "take_context", lambda m: m.take_context()
    yield "serialize", lambda m: m.serialize()
    yield "extend", lambda m: m.extend(1)
    yield "bytes", bytes
    yield "len", len
    yield "notify_bad", lambda m: m.notify_bad("why")


OPERATIONS = dict(operations())


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_closed_message_is_invalid(operation: Callable[[Message], object]) -> None:
    """System rules §3: a gone message is INVALID_ARGUMENT to every call."""
    with pytest.raises(InvalidArgumentError):
        operation(closed_message())


def test_closing_twice_is_harmless() -> None:
    """As for handles."""
    closed_message().close()


def test_close_closes_handles_never_taken(message_pipes: MessagePipes) -> None:
    """Public contract §3: the peer of an attached pipe sees it go."""
    a, b = message_pipes()
    message = Message(b"", [b])
    assert not a.query_signals_state().peer_closed
    message.close()
    assert a.query_signals_state().peer_closed


def test_dropping_a_message_closes_handles_never_taken(message_pipes: MessagePipes) -> None:
    """Public contract §3, by garbage collection."""
    a, b = message_pipes()
    message = Message(b"", [b])
    del message
    gc.collect()
    assert a.query_signals_state().peer_closed


def test_payload_view_outlives_a_dropped_message(pipe: MessagePipe) -> None:
    """Public contract §3: an array on the payload keeps it alive."""
    pipe.handle0.write(b"persist" * 1000)
    message = pipe.handle1.read()
    view = np.frombuffer(message.payload, dtype=np.uint8)
    del message
    gc.collect()
    assert view.tobytes() == b"persist" * 1000


# ---- notify_bad


def test_notify_bad_of_a_local_message_is_logged(
    pipe: MessagePipe, caplog: pytest.LogCaptureFixture
) -> None:
    """Public contract §3: else logging."""
    pipe.handle0.write(b"evil")
    with caplog.at_level(logging.DEBUG), pipe.handle1.read() as received:
        received.notify_bad("not what we agreed on")
    (record,) = [r for r in caplog.records if r.name.split(".")[0] == "mojo_seq"]
    assert "not what we agreed on" in record.getMessage()
    assert record.levelno >= logging.WARNING


def test_message_is_still_usable_after_notify_bad(
    pipe: MessagePipe, caplog: pytest.LogCaptureFixture
) -> None:
    """System rules §3."""
    pipe.handle0.write(b"evil")
    with pipe.handle1.read() as received:
        received.notify_bad("bad")
        assert bytes(received) == b"evil"
    assert caplog.records


def test_notify_bad_wants_text() -> None:
    """Public contract §1: wrong Python types are TypeErrors."""
    wrong: Any = 5
    with Message() as message, pytest.raises(TypeError):
        message.notify_bad(wrong)


def test_second_take_of_handles_is_not_found(message_pipes: MessagePipes) -> None:
    """Public contract §3."""
    _, b = message_pipes()
    with Message(b"", [b]) as message:
        (taken,) = message.take_handles()
        with taken, pytest.raises(NotFoundError):
            message.take_handles()


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
def test_messages_cannot_be_copied(copier: Callable[[object], object]) -> None:
    """Public contract §2: what they carry has one owner."""
    with Message(b"x") as message, pytest.raises(TypeError):
        copier(message)


# ---- attached handles


def test_attached_handles_are_taken_at_construction(message_pipes: MessagePipes) -> None:
    """Public contract §3: `Message(...)` takes the handles."""
    _, b = message_pipes()
    with Message(b"", [b]):
        assert not b.is_valid
        assert b.value == 0
        with pytest.raises(InvalidArgumentError):
            b.read()


def test_attached_handles_cannot_be_used_in_place(message_pipes: MessagePipes) -> None:
    """Public contract §3: in a message being built they wait until taken back or read."""
    _, b = message_pipes()
    with Message(b"", [b]) as message:
        (attached,) = message.handles
        assert isinstance(attached, MessagePipeHandle)
        with pytest.raises(InvalidArgumentError):
            attached.read()


def test_attached_handles_can_be_taken_back(message_pipes: MessagePipes) -> None:
    """Public contract §3: `take_handles()` moves ownership to the caller."""
    a, b = message_pipes()
    with Message(b"", [b]) as message:
        (back,) = message.take_handles()
        assert message.handles == ()
    assert isinstance(back, MessagePipeHandle)
    with back:
        a.write(b"still here")
        assert bytes(back.read()) == b"still here"


def test_received_handles_are_usable_in_place(message_pipes: MessagePipes) -> None:
    """Public contract §3: owned by the message, usable all the same."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write(b"", [d])
    with b.read() as message:
        (handle,) = message.handles
        assert isinstance(handle, MessagePipeHandle)
        handle.write(b"from inside the message")
        assert bytes(c.read()) == b"from inside the message"


def test_received_handles_die_with_the_message(message_pipes: MessagePipes) -> None:
    """Public contract §3: handles never taken are closed with the message."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write(b"", [d])
    with b.read() as message:
        (handle,) = message.handles
    assert not handle.is_valid
    assert c.query_signals_state().peer_closed


def test_handles_looked_at_are_the_ones_taken(message_pipes: MessagePipes) -> None:
    """Public contract §3: one object per handle, whether looked at first or not."""
    (a, b), (_, d) = message_pipes(), message_pipes()
    a.write(b"", [d])
    with b.read() as message:
        looked_at = message.handles
        assert message.handles == looked_at
        taken = message.take_handles()
    assert tuple(taken) == looked_at
    assert taken[0].is_valid
    taken[0].close()


def test_taking_no_handles_works_every_time() -> None:
    """System rules §3.1: a message with zero handles can be asked any number of times."""
    with Message(b"x") as message:
        assert message.take_handles() == []
        assert message.take_handles() == []


def test_taking_handles_leaves_the_payload(message_pipes: MessagePipes) -> None:
    """Public contract §3."""
    _, b = message_pipes()
    with Message(b"payload", [b]) as message:
        message.take_handles()[0].close()
        assert bytes(message) == b"payload"
