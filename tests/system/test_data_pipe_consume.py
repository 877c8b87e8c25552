"""Data pipes: the other ways to consume, `readinto`, `query`, `discard` (system rules §5.3)."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mojo_seq import DataPipe, OutOfRangeError, PeerClosedError, ShouldWaitError

DataPipes = Callable[..., DataPipe]


# ---- readinto


@pytest.mark.parametrize(
    "buffer",
    [bytearray(4), memoryview(bytearray(4)), np.zeros(2, np.uint16), array.array("I", [0])],
    ids=lambda buffer: type(buffer).__name__,
)
def test_readinto_fills_any_writable_buffer(data_pipes: DataPipes, buffer: Any) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes()
    producer.write(b"abcdef")
    assert consumer.readinto(buffer) == 4
    assert bytes(buffer) == b"abcd"
    assert consumer.read() == b"ef"


def test_readinto_leaves_the_rest_of_the_buffer_alone(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    buffer = bytearray(b"....")
    assert consumer.readinto(buffer) == 2
    assert buffer == b"ab.."


def test_readinto_across_the_wrap(data_pipes: DataPipes) -> None:
    """System rules §5.2, the reading side."""
    producer, consumer = data_pipes(4)
    producer.write(b"abc")
    consumer.read()
    producer.write(b"defg")
    buffer = bytearray(4)
    assert consumer.readinto(buffer, peek=True) == 4
    assert buffer == b"defg"
    assert consumer.query() == 4


def test_failed_readinto_changes_nothing(data_pipes: DataPipes) -> None:
    """System rules §5.3: on failure neither buffer nor data changes."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    buffer = bytearray(b"....")
    with pytest.raises(OutOfRangeError):
        consumer.readinto(buffer, all_or_none=True)
    assert buffer == b"...."
    buffer.append(0)  # and the export is gone
    assert consumer.read() == b"ab"


@pytest.mark.parametrize("wrong", ["text", None, 5], ids=repr)
def test_readinto_wants_a_buffer(data_pipes: DataPipes, wrong: Any) -> None:
    """Public contract §1."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    with pytest.raises(TypeError):
        consumer.readinto(wrong)
    assert consumer.read() == b"ab"


def test_readinto_wants_a_writable_buffer(data_pipes: DataPipes) -> None:
    """Public contract §1: TypeError as in `io`, or the buffer protocol's own BufferError."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    read_only: Any = b"...."
    with pytest.raises((TypeError, BufferError)):
        consumer.readinto(read_only)
    assert read_only == b"...."
    assert consumer.read() == b"ab"


def test_readinto_wants_a_contiguous_buffer(data_pipes: DataPipes) -> None:
    """Public contract: C-contiguous."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    with pytest.raises(BufferError):
        consumer.readinto(np.zeros(8, np.uint8)[::2])
    assert consumer.read() == b"ab"


# ---- query, discard


def test_query_counts_bytes(data_pipes: DataPipes) -> None:
    """System rules §5.3: 0 is allowed; the unit is bytes whatever the element."""
    producer, consumer = data_pipes(12, 4)
    assert consumer.query() == 0
    producer.write(b"abcdefgh")
    assert consumer.query() == 8


def test_query_works_after_the_producer_closed(data_pipes: DataPipes) -> None:
    """System rules §5.3: even when drained."""
    producer, consumer = data_pipes()
    producer.close()
    assert consumer.query() == 0


def test_discard_throws_away_and_makes_room(data_pipes: DataPipes) -> None:
    """System rules §5.3."""
    producer, consumer = data_pipes(4)
    producer.write(b"abcd")
    assert consumer.discard(3) == 3
    assert producer.write(b"efgh") == 3
    assert consumer.discard(100) == 4
    assert consumer.query() == 0


def test_discard_all_or_none(data_pipes: DataPipes) -> None:
    """System rules §5.3."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    with pytest.raises(OutOfRangeError):
        consumer.discard(3, all_or_none=True)
    assert consumer.query() == 2
    producer.close()
    with pytest.raises(PeerClosedError):
        consumer.discard(3, all_or_none=True)
    assert consumer.discard(2, all_or_none=True) == 2


def test_discarding_from_an_empty_pipe(data_pipes: DataPipes) -> None:
    """System rules §5.3."""
    producer, consumer = data_pipes()
    with pytest.raises(ShouldWaitError):
        consumer.discard(1)
    producer.close()
    with pytest.raises(PeerClosedError):
        consumer.discard(1)
