"""Data pipes: creation and immediate I/O (public contract §4, system rules §5.1-§5.3, §5.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    DataPipe,
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    InvalidArgumentError,
    OutOfRangeError,
    PeerClosedError,
    ResourceExhaustedError,
    ShouldWaitError,
    create_data_pipe,
)

DataPipes = Callable[..., DataPipe]


# ---- creation


def test_create_gives_a_named_pair(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    pipe = data_pipes(10, 5)
    assert isinstance(pipe, DataPipe)
    assert pipe == (pipe.producer, pipe.consumer)
    assert isinstance(pipe.producer, DataPipeProducerHandle)
    assert isinstance(pipe.consumer, DataPipeConsumerHandle)


def test_both_ends_know_capacity_and_element_size(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    for end in data_pipes(10, 5):
        assert (end.capacity, end.element_size) == (10, 5)


def test_default_is_64_kib_of_bytes() -> None:
    """System rules §5.1: and that much really fits."""
    producer, consumer = create_data_pipe()
    with producer, consumer:
        assert (producer.capacity, producer.element_size) == (65_536, 1)
        assert producer.write(bytes(100_000)) == 65_536


def test_default_capacity_is_rounded_down_to_elements(data_pipes: DataPipes) -> None:
    """System rules §5.1."""
    assert data_pipes(0, 100).producer.capacity == 65_500


@pytest.mark.parametrize("capacity", [1, 2, 37, 4095, 4096, 4097, 1_000_003])
def test_capacity_is_what_was_asked_for(data_pipes: DataPipes, capacity: int) -> None:
    """Public contract §4: not rounded to pages, so flow control is what the caller chose."""
    producer, consumer = data_pipes(capacity)
    payload = bytes(i % 251 for i in range(capacity))
    assert producer.write(payload + b"more") == capacity
    with pytest.raises(ShouldWaitError):
        producer.write(b"x")
    assert consumer.read() == payload


@pytest.mark.parametrize(
    ("capacity", "element_size", "error"),
    [
        (111, 2, InvalidArgumentError),
        (104, 5, InvalidArgumentError),
        (1024, 5, InvalidArgumentError),
        (4, 8, InvalidArgumentError),
        (8, 0, InvalidArgumentError),
        (0, 0, InvalidArgumentError),
        (-1, 1, InvalidArgumentError),
        (8, -1, InvalidArgumentError),
        (2**62, 1, ResourceExhaustedError),
        (2**62, 2**62, ResourceExhaustedError),
        ("8", 1, TypeError),
        (8.0, 1, TypeError),
        (8, 1.0, TypeError),
        (None, 1, TypeError),
    ],
)
def test_create_checks_its_arguments(
    capacity: Any, element_size: Any, error: type[Exception]
) -> None:
    """System rules §5.1, public contract §1."""
    with pytest.raises(error):
        create_data_pipe(capacity, element_size)


# ---- writing


def test_write_tells_how_much_fitted(data_pipes: DataPipes) -> None:
    """System rules §5.2: min(size, free)."""
    producer, consumer = data_pipes(8)
    assert producer.write(b"12345") == 5
    assert producer.write(b"67890") == 3
    assert consumer.read() == b"12345678"


def test_write_wraps_around_in_one_call(data_pipes: DataPipes) -> None:
    """System rules §5.2."""
    producer, consumer = data_pipes(8)
    producer.write(b"abcdef")
    consumer.read(5)
    assert producer.write(b"ghijklm") == 7
    assert consumer.read() == b"fghijklm"


def test_partial_amounts_are_whole_elements(data_pipes: DataPipes) -> None:
    """System rules §5.1."""
    producer, consumer = data_pipes(9, 3)
    producer.write(b"abcdef")
    assert producer.write(b"ghijkl") == 3
    assert consumer.read(6) == b"abcdef"


def test_writing_to_a_full_pipe_should_wait(data_pipes: DataPipes) -> None:
    """System rules §5.2."""
    producer, consumer = data_pipes(2)
    producer.write(b"ab")
    with pytest.raises(ShouldWaitError):
        producer.write(b"c")
    assert consumer.read() == b"ab"


def test_all_or_none_write_that_fits(data_pipes: DataPipes) -> None:
    """System rules §5.2."""
    producer, consumer = data_pipes(4)
    assert producer.write(b"abcd", all_or_none=True) == 4
    assert consumer.read() == b"abcd"


@pytest.mark.parametrize("already", [1, 4])
def test_all_or_none_write_that_does_not_fit_is_out_of_range(
    data_pipes: DataPipes, already: int
) -> None:
    """System rules §5.2: never SHOULD_WAIT, even when completely full; nothing is written."""
    producer, consumer = data_pipes(4)
    producer.write(b"x" * already)
    with pytest.raises(OutOfRangeError):
        producer.write(b"abcd", all_or_none=True)
    assert consumer.read() == b"x" * already


def test_writing_nothing_works_on_a_full_pipe(data_pipes: DataPipes) -> None:
    """System rules §5.2: size 0 is OK even when full."""
    producer, _ = data_pipes(1)
    producer.write(b"x")
    assert producer.write(b"") == 0
    assert producer.write(b"", all_or_none=True) == 0


def test_writing_nothing_asks_whether_the_peer_lives(data_pipes: DataPipes) -> None:
    """System rules §5.2."""
    producer, consumer = data_pipes()
    consumer.close()
    with pytest.raises(PeerClosedError):
        producer.write(b"")


def test_numpy_arrays_are_written_as_bytes(data_pipes: DataPipes) -> None:
    """Public contract: any C-contiguous buffer; the size counts in bytes."""
    producer, consumer = data_pipes(64, 8)
    array = np.arange(6, dtype=np.int64).reshape(2, 3)
    assert producer.write(array) == 48
    assert consumer.read() == array.tobytes()


@pytest.mark.parametrize("wrong", ["text", None, 5], ids=repr)
def test_writing_something_else_is_a_type_error(data_pipes: DataPipes, wrong: Any) -> None:
    """Public contract §1."""
    with pytest.raises(TypeError):
        data_pipes().producer.write(wrong)


def test_writing_a_strided_array_is_a_buffer_error(data_pipes: DataPipes) -> None:
    """Public contract: C-contiguous."""
    producer, consumer = data_pipes()
    with pytest.raises(BufferError):
        producer.write(np.arange(4, dtype=np.uint8)[::2])
    assert consumer.query() == 0


# ---- reading


def test_read_takes_all_by_default(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    assert consumer.read() == b"abc"
    assert consumer.query() == 0


def test_read_takes_at_most_so_many(data_pipes: DataPipes) -> None:
    """System rules §5.3."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    assert consumer.read(2) == b"ab"
    assert consumer.read(2) == b"c"


def test_reading_an_empty_pipe_should_wait(data_pipes: DataPipes) -> None:
    """System rules §5.3."""
    with pytest.raises(ShouldWaitError):
        data_pipes().consumer.read()


@pytest.mark.parametrize("filled", [False, True])
def test_reading_nothing_returns_at_once(data_pipes: DataPipes, filled: bool) -> None:
    """Public contract §4: while the peer is open."""
    producer, consumer = data_pipes()
    if filled:
        producer.write(b"x")
    assert consumer.read(0) == b""
    assert consumer.readinto(bytearray()) == 0
    assert consumer.query() == filled


def test_peek_copies_and_consumes_nothing(data_pipes: DataPipes) -> None:
    """System rules §5.3: nor does it make room."""
    producer, consumer = data_pipes(3)
    producer.write(b"abc")
    assert consumer.read(2, peek=True) == b"ab"
    with pytest.raises(ShouldWaitError):
        producer.write(b"d")
    assert consumer.read() == b"abc"


def test_all_or_none_peek(data_pipes: DataPipes) -> None:
    """System rules §5.3: PEEK with ALL_OR_NONE is legal."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    assert consumer.read(3, all_or_none=True, peek=True) == b"abc"
    with pytest.raises(OutOfRangeError):
        consumer.read(4, all_or_none=True, peek=True)
    assert consumer.query() == 3


def test_all_or_none_read_takes_exactly(data_pipes: DataPipes) -> None:
    """System rules §5.3."""
    producer, consumer = data_pipes()
    producer.write(b"abcd")
    assert consumer.read(3, all_or_none=True) == b"abc"
    with pytest.raises(OutOfRangeError):
        consumer.read(2, all_or_none=True)
    assert consumer.read() == b"d"


def test_all_or_none_read_that_can_never_come_is_peer_closed(data_pipes: DataPipes) -> None:
    """System rules §5.3: the bytes stay."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    producer.close()
    with pytest.raises(PeerClosedError):
        consumer.read(3, all_or_none=True)
    assert consumer.read(2, all_or_none=True) == b"ab"


def test_all_data_written_before_closure_is_readable(data_pipes: DataPipes) -> None:
    """System rules §5.5."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    producer.close()
    assert consumer.query() == 3
    assert consumer.read(2) == b"ab"
    assert consumer.read() == b"c"
    with pytest.raises(PeerClosedError):
        consumer.read()


@pytest.mark.parametrize("size", [0, 1, -1])
def test_reading_a_drained_pipe_whose_producer_is_closed(data_pipes: DataPipes, size: int) -> None:
    """System rules §5.3: FAILED_PRECONDITION, for zero bytes too."""
    producer, consumer = data_pipes()
    producer.close()
    with pytest.raises(PeerClosedError):
        consumer.read(size)
