"""Batches: many messages in one crossing (public contract §3, system rules §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
)


def drain(end: MessagePipeHandle) -> list[bytes]:
    """Everything readable now."""
    return [bytes(message) for message in end.read_batch(1_000_000)]


def drain_closed(end: MessagePipeHandle) -> list[bytes]:
    """Everything left in an end whose peer is closed."""
    left = []
    while True:
        try:
            left.append(bytes(end.read()))
        except PeerClosedError:
            return left


def test_write_batch_is_one_message_each(pipe: MessagePipe) -> None:
    """Public contract §3: in order, after what was there, empty ones included."""
    pipe.handle0.write(b"before")
    pipe.handle0.write_batch([b"1", bytearray(b"22"), b"", np.zeros(2, np.uint8)])
    assert drain(pipe.handle1) == [b"before", b"1", b"22", b"", b"\0\0"]


def test_write_batch_takes_any_iterable(pipe: MessagePipe) -> None:
    """Public contract §3."""
    pipe.handle0.write_batch(str(i).encode() for i in range(3))
    assert drain(pipe.handle1) == [b"0", b"1", b"2"]


def test_empty_batch_writes_nothing(pipe: MessagePipe) -> None:
    """Public contract §3."""
    pipe.handle0.write_batch([])
    assert not pipe.handle1.query_signals_state().readable


def failing() -> Iterator[bytes]:
    yield b"1"
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("payloads", "error"),
    [
        ([b"1", "text"], TypeError),
        ([b"1", None, b"3"], TypeError),
        ([b"1", np.arange(4)[::2]], BufferError),
        (5, TypeError),
        (None, TypeError),
    ],
    ids=["text", "none", "strided", "int", "no iterable"],
)
def test_write_batch_writes_all_or_none(
    pipe: MessagePipe, payloads: Any, error: type[Exception]
) -> None:
    """Public contract §3: all or none if it raises."""
    with pytest.raises(error):
        pipe.handle0.write_batch(payloads)
    assert drain(pipe.handle1) == []


def test_iterable_that_raises_writes_nothing(pipe: MessagePipe) -> None:
    """Public contract §3: its exception comes out as it is."""
    with pytest.raises(ZeroDivisionError):
        pipe.handle0.write_batch(failing())
    assert drain(pipe.handle1) == []


def test_failed_write_batch_lets_go_of_its_buffers(pipe: MessagePipe) -> None:
    """Public contract §1."""
    payload = bytearray(b"x")
    wrong: Any = [payload, None]
    with pytest.raises(TypeError):
        pipe.handle0.write_batch(wrong)
    payload.append(1)


def test_iterable_that_closes_the_pipe_is_survived(pipe: MessagePipe) -> None:
    """System rules §2: an operation racing with close gets INVALID_ARGUMENT, never a crash."""

    def closing_payloads() -> Iterator[bytes]:
        yield b"1"
        pipe.handle0.close()
        yield b"2"

    with pytest.raises(InvalidArgumentError):
        pipe.handle0.write_batch(closing_payloads())
    assert drain_closed(pipe.handle1) == []


def test_read_batch_takes_at_most_so_many(pipe: MessagePipe) -> None:
    """Public contract §3: oldest first, the rest stays."""
    pipe.handle0.write_batch([b"1", b"2", b"3"])
    assert [bytes(m) for m in pipe.handle1.read_batch(2)] == [b"1", b"2"]
    assert [bytes(m) for m in pipe.handle1.read_batch(2)] == [b"3"]


def test_read_batch_reads_64_by_default(pipe: MessagePipe) -> None:
    """Public contract §3."""
    pipe.handle0.write_batch([b""] * 65)
    assert len(pipe.handle1.read_batch()) == 64
    assert len(pipe.handle1.read_batch()) == 1


def test_read_batch_of_an_empty_pipe_is_empty(pipe: MessagePipe) -> None:
    """Public contract §3: no exception while the peer is open."""
    assert pipe.handle1.read_batch() == []


def test_read_batch_drains_before_it_reports_closure(pipe: MessagePipe) -> None:
    """Public contract §3: PeerClosedError only if drained and closed."""
    pipe.handle0.write_batch([b"1", b"2"])
    pipe.handle0.close()
    assert drain(pipe.handle1) == [b"1", b"2"]
    with pytest.raises(PeerClosedError):
        pipe.handle1.read_batch()


@pytest.mark.parametrize(
    ("count", "error"),
    [
        (0, InvalidArgumentError),
        (-1, InvalidArgumentError),
        (1.0, TypeError),
        ("1", TypeError),
    ],
)
def test_read_batch_checks_its_count(pipe: MessagePipe, count: Any, error: type[Exception]) -> None:
    """Public contract §1. Nothing is read."""
    pipe.handle0.write(b"x")
    with pytest.raises(error):
        pipe.handle1.read_batch(count)
    assert drain(pipe.handle1) == [b"x"]
