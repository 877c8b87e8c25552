"""Messages being built: allocate, fill in place, extend (public contract §3, system rules §3)."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    OutOfRangeError,
    ResourceExhaustedError,
)

MessagePipes = Callable[[], MessagePipe]
TOO_MUCH = 256 * 2**20 + 1


def usable(handle: Handle, peer: MessagePipeHandle) -> bool:
    """Whether something written to the handle still comes out at its peer."""
    assert isinstance(handle, MessagePipeHandle)
    handle.write(b"alive")
    with peer.read() as message:
        return bytes(message) == b"alive"


def test_allocated_payload_is_written_in_place(pipe: MessagePipe) -> None:
    """Public contract §3."""
    message = Message.allocate(4)
    with message.payload as view:
        assert not view.readonly
        view[:] = b"data"
    pipe.handle0.write_message(message)
    with pipe.handle1.read() as received:
        assert bytes(received) == b"data"


def test_allocated_payload_can_be_filled_by_numpy() -> None:
    """Public contract §3: the payload is a buffer like any other."""
    with Message.allocate(32) as message:
        np.frombuffer(message.payload, dtype=np.int64)[:] = [1, 2, 3, 4]
        assert bytes(message) == np.array([1, 2, 3, 4], dtype=np.int64).tobytes()


def test_received_payload_is_read_only(pipe: MessagePipe) -> None:
    """Public contract §3."""
    pipe.handle0.write_message(Message.allocate(4))
    with pipe.handle1.read() as received, received.payload as view:
        assert view.readonly
        with pytest.raises(TypeError):
            view[0] = 1


@pytest.mark.parametrize(
    ("nbytes", "error"),
    [
        (-1, InvalidArgumentError),
        (TOO_MUCH, ResourceExhaustedError),
        (2**62, ResourceExhaustedError),
        ("4", TypeError),
        (4.0, TypeError),
        (None, TypeError),
    ],
)
def test_allocate_checks_its_size(nbytes: Any, error: type[Exception]) -> None:
    """Public contract §1: domain errors, wrong types, sizes that cannot be had."""
    with pytest.raises(error):
        Message.allocate(nbytes)


def test_payload_over_the_limit_is_resource_exhausted(pipe: MessagePipe) -> None:
    """System rules §3: 256 MiB per message. Nothing of it is delivered."""
    with pytest.raises(ResourceExhaustedError):
        pipe.handle0.write(bytes(TOO_MUCH))
    assert not pipe.handle1.query_signals_state().readable


def test_extend_grows_and_keeps_the_payload() -> None:
    """Public contract §3; system rules §3: the size is the total, not an increment."""
    with Message(b"head") as message:
        message.extend(9)
        assert len(message) == 9
        assert bytes(message)[:4] == b"head"


def test_extended_part_is_writable_until_written(pipe: MessagePipe) -> None:
    """Public contract §3."""
    message = Message.allocate(2)
    with message.payload as view:
        view[:] = b"ab"
    message.extend(100_002)
    with message.payload as view:
        view[2:] = b"c" * 100_000
    pipe.handle0.write_message(message)
    with pipe.handle1.read() as received:
        assert bytes(received) == b"ab" + b"c" * 100_000


def test_extend_to_the_same_size_adds_only_handles(message_pipes: MessagePipes) -> None:
    """System rules §3: an equal size is legal, to add handles."""
    a, b = message_pipes()
    with Message(b"x") as message:
        message.extend(1, [b])
        assert bytes(message) == b"x"
        (back,) = message.take_handles()
        with back:
            assert usable(back, a)


@pytest.mark.parametrize(
    ("nbytes", "error"),
    [
        (-1, InvalidArgumentError),
        (3, OutOfRangeError),
        (TOO_MUCH, ResourceExhaustedError),
        ("9", TypeError),
        (9.5, TypeError),
    ],
)
def test_failed_extend_takes_nothing(
    message_pipes: MessagePipes, nbytes: Any, error: type[Exception]
) -> None:
    """Public contract §3: at once, all or none. (Shrinking is OUT_OF_RANGE, system rules §3.)"""
    a, b = message_pipes()
    with Message(b"kept") as message:
        with pytest.raises(error):
            message.extend(nbytes, [b])
        assert bytes(message) == b"kept"
        assert message.handles == ()
    assert usable(b, a)


def test_extend_with_a_bad_handle_leaves_earlier_batches_alone(
    message_pipes: MessagePipes,
) -> None:
    """System rules §3: all or none, and an earlier batch stays attached."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    e.close()
    with Message(b"", [b]) as message:
        with pytest.raises(InvalidArgumentError):
            message.extend(1, [d, e])
        assert len(message) == 0
        assert usable(d, c)
        (back,) = message.take_handles()
        with back:
            assert usable(back, a)
    f.close()


def test_extending_a_received_message_is_a_failed_precondition(pipe: MessagePipe) -> None:
    """Public contract §3."""
    pipe.handle0.write(b"sealed")
    with pipe.handle1.read() as received:
        with pytest.raises(FailedPreconditionError):
            received.extend(100)
        assert bytes(received) == b"sealed"


def test_writable_view_blocks_extend() -> None:
    """Public contract §3: the bytes may move, so a live view would dangle."""
    with Message.allocate(4) as message:
        with message.payload as view:
            with pytest.raises(BufferError):
                message.extend(8)
            view[:] = b"okay"
        assert bytes(message) == b"okay"
        message.extend(8)
        assert len(message) == 8


def test_writable_view_blocks_write_message(pipe: MessagePipe) -> None:
    """Public contract §3: the message stays with the caller."""
    message = Message.allocate(4)
    with message.payload as view:
        with pytest.raises(BufferError):
            pipe.handle0.write_message(message)
        view[:] = b"late"
    assert not pipe.handle1.query_signals_state().readable
    pipe.handle0.write_message(message)
    with pipe.handle1.read() as received:
        assert bytes(received) == b"late"


def test_array_on_the_payload_blocks_write_message(pipe: MessagePipe) -> None:
    """Public contract §3: a numpy view is a view."""
    message = Message.allocate(4)
    array_view: Any = np.frombuffer(message.payload, dtype=np.uint8)
    with pytest.raises(BufferError):
        pipe.handle0.write_message(message)
    array_view[:] = 7
    del array_view
    gc.collect()
    pipe.handle0.write_message(message)
    with pipe.handle1.read() as received:
        assert bytes(received) == b"\7" * 4


def test_construction_re_entered_by_its_own_handles_leaks_nothing() -> None:
    """An iterable is user code; here it makes the message that is just being made."""
    message = Message.__new__(Message)

    def handles() -> Iterator[Handle]:
        message.__init__(b"inner")  # type: ignore[misc]
        yield from ()

    with contextlib.suppress(TypeError):
        message.__init__(b"outer", handles())  # type: ignore[misc]
    assert bytes(message) in (b"inner", b"outer")
    message.close()
