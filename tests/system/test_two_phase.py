"""Two-phase I/O: windows over the ring of a data pipe (public contract §4, system rules §5.4)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    DataPipe,
    FailedPreconditionError,
    InvalidArgumentError,
    ReadWindow,
    WriteWindow,
)

DataPipes = Callable[..., DataPipe]


# ---- what a window is


def test_write_window_is_all_free_space(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes(8)
    producer.write(b"abc")
    window = producer.begin_write()
    assert isinstance(window, WriteWindow)
    assert window.nbytes == 5
    with memoryview(window) as view:
        assert (view.nbytes, view.readonly) == (5, False)
        view[:] = b"defgh"
    window.commit(5)
    assert consumer.read() == b"abcdefgh"


def test_read_window_is_all_readable_bytes(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes(8)
    producer.write(b"abc")
    window = consumer.begin_read()
    assert isinstance(window, ReadWindow)
    assert window.nbytes == 3
    with memoryview(window) as view:
        assert (bytes(view), view.readonly) == (b"abc", True)
    window.consume(3)
    assert consumer.query() == 0


@pytest.mark.parametrize("capacity", [5, 4096, 4097, 10_000])
def test_windows_are_contiguous_across_the_wrap(data_pipes: DataPipes, capacity: int) -> None:
    """Public contract §4: always, at any capacity and any offset."""
    producer, consumer = data_pipes(capacity)
    payload = bytes(i % 251 for i in range(capacity))
    for step in (capacity - 1, 1, 2, capacity // 2, capacity):
        window = producer.begin_write()
        assert window.nbytes == capacity
        memoryview(window)[:] = payload
        window.commit(capacity)
        other = consumer.begin_read()
        assert bytes(other) == payload
        other.consume(step)
        consumer.read(capacity - step)
        producer.write(bytes(step))  # moves both cursors on, to another offset
        consumer.read(step)


def test_window_as_array(data_pipes: DataPipes) -> None:
    """Public contract §4: numpy on both sides, no bytes in between."""
    producer, consumer = data_pipes(64, 8)
    with producer.begin_write() as window:
        window.as_array(np.float64)[:3] = [1.5, 2.5, 3.5]
        window.commit(24)
    with consumer.begin_read() as other:
        array: Any = other.as_array(np.float64)
        assert array.tolist() == [1.5, 2.5, 3.5]
        assert not array.flags.writeable
        del array
        other.consume(24)


def test_window_as_array_has_the_whole_items_only(data_pipes: DataPipes) -> None:
    """Public contract §4: how much is free or readable is chance, so a rest is no error."""
    producer, _ = data_pipes(7)
    with producer.begin_write() as window:
        assert window.as_array(np.int16).shape == (3,)
        assert window.as_array(np.int64).shape == (0,)


# ---- ending


def test_committed_bytes_become_readable_only_then(data_pipes: DataPipes) -> None:
    """System rules §5.4."""
    producer, consumer = data_pipes()
    window = producer.begin_write()
    memoryview(window)[:3] = b"abc"
    assert consumer.query() == 0
    window.commit(2)
    assert consumer.read() == b"ab"


def test_handle_methods_end_it_too(data_pipes: DataPipes) -> None:
    """Public contract §4: `end_write`, `end_read`."""
    producer, consumer = data_pipes()
    window = producer.begin_write()
    memoryview(window)[:2] = b"ab"
    producer.end_write(2)
    other = consumer.begin_read()
    assert bytes(other) == b"ab"
    consumer.end_read(1)
    assert consumer.read() == b"b"


@pytest.mark.parametrize("amount", [0, 1, 3])
def test_unconsumed_bytes_stay(data_pipes: DataPipes, amount: int) -> None:
    """System rules §5.4."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    consumer.begin_read().consume(amount)
    assert consumer.query() == 3 - amount


def test_leaving_the_block_ends_with_zero(data_pipes: DataPipes) -> None:
    """Public contract §4: without commit or consume."""
    producer, consumer = data_pipes()
    with producer.begin_write() as window:
        memoryview(window)[:1] = b"x"
    assert consumer.query() == 0
    producer.write(b"ab")
    with consumer.begin_read():
        pass
    assert consumer.read() == b"ab"


def test_leaving_the_block_by_an_exception_ends_with_zero(data_pipes: DataPipes) -> None:
    """Public contract §4."""
    producer, consumer = data_pipes()
    with pytest.raises(KeyError), producer.begin_write():
        raise KeyError
    producer.write(b"a")
    assert consumer.read() == b"a"


def test_leaving_the_block_after_commit_does_nothing_more(data_pipes: DataPipes) -> None:
    """Public contract §4: nor does it end an operation begun since."""
    producer, consumer = data_pipes()
    with producer.begin_write() as window:
        memoryview(window)[:1] = b"a"
        window.commit(1)
        later = producer.begin_write()
    memoryview(later)[:1] = b"b"
    later.commit(1)
    assert consumer.read() == b"ab"


def test_ending_when_none_is_open(data_pipes: DataPipes) -> None:
    """System rules §5.4."""
    producer, consumer = data_pipes()
    with pytest.raises(FailedPreconditionError):
        producer.end_write(0)
    with pytest.raises(FailedPreconditionError):
        consumer.end_read(0)


def test_ending_twice(data_pipes: DataPipes) -> None:
    """Public contract §4: committing when none is open; the later window is not touched."""
    producer, consumer = data_pipes()
    first = producer.begin_write()
    first.commit(0)
    with pytest.raises(FailedPreconditionError):
        first.commit(0)
    second = producer.begin_write()
    with pytest.raises(FailedPreconditionError):
        first.commit(1)
    memoryview(second)[:1] = b"x"
    second.commit(1)
    assert consumer.read() == b"x"


@pytest.mark.parametrize("amount", [9, 10, 1, 7, -1, -3, 2**64])
def test_bad_commit_ends_with_nothing(data_pipes: DataPipes, amount: int) -> None:
    """System rules §5.4: too much or misaligned is INVALID_ARGUMENT, and it *is* over."""
    producer, consumer = data_pipes(9, 3)
    producer.write(b"abc")
    window = producer.begin_write()
    with pytest.raises(InvalidArgumentError):
        producer.end_write(amount)
    with pytest.raises(FailedPreconditionError):
        window.commit(0)
    with pytest.raises(FailedPreconditionError):
        producer.end_write(0)
    assert consumer.read() == b"abc"


@pytest.mark.parametrize("amount", [6, 1, 2, 4, -1, 2**64])
def test_bad_consume_ends_with_nothing(data_pipes: DataPipes, amount: int) -> None:
    """System rules §5.4: the data stays."""
    producer, consumer = data_pipes(9, 3)
    producer.write(b"abc")
    window = consumer.begin_read()
    with pytest.raises(InvalidArgumentError):
        window.consume(amount)
    with pytest.raises(FailedPreconditionError):
        window.consume(0)
    assert consumer.read() == b"abc"


@pytest.mark.parametrize("wrong", ["1", 1.0, None], ids=repr)
def test_amount_of_the_wrong_type_changes_nothing(data_pipes: DataPipes, wrong: Any) -> None:
    """Public contract §1: a TypeError is no amount at all, so the operation goes on."""
    producer, consumer = data_pipes()
    window = producer.begin_write()
    with pytest.raises(TypeError):
        window.commit(wrong)
    memoryview(window)[:1] = b"x"
    window.commit(1)
    assert consumer.read() == b"x"


def test_reading_straight_into_a_window(data_pipes: DataPipes) -> None:
    """Public contract §4: a window is a writable buffer like any other, for `readinto` too."""
    source, between = data_pipes(8)
    producer, consumer = data_pipes(8)
    source.write(b"abcdef")
    with producer.begin_write() as window:
        window.commit(between.readinto(window))
    assert consumer.read() == b"abcdef"


def test_writing_straight_from_a_window(data_pipes: DataPipes) -> None:
    """Public contract §4: even into the same pipe."""
    producer, consumer = data_pipes(8)
    producer.write(b"abc")
    with consumer.begin_read() as window:
        assert producer.write(window) == 3
        window.consume(3)
    assert consumer.read() == b"abc"


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
def test_windows_cannot_be_copied(
    data_pipes: DataPipes, copier: Callable[[object], object]
) -> None:
    """Public contract §2: as little as the handles that they belong to."""
    producer, consumer = data_pipes()
    producer.write(b"x")
    for window in (producer.begin_write(), consumer.begin_read()):
        with pytest.raises(TypeError):
            copier(window)


def test_windows_have_no_array_of_objects(data_pipes: DataPipes) -> None:
    """Pointers in a ring that anybody may write would be a crash in waiting."""
    with data_pipes().producer.begin_write() as window, pytest.raises((TypeError, ValueError)):
        window.as_array(object)
