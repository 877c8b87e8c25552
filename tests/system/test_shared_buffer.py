"""Shared buffers: creating, mapping, duplicating (public contract §5, system rules §6)."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    InvalidArgumentError,
    ResourceExhaustedError,
    SharedBufferHandle,
    SharedBufferMapping,
    create_shared_buffer,
)

SharedBuffers = Callable[[int], SharedBufferHandle]


# ---- creation


@pytest.mark.parametrize("nbytes", [1, 100, 4096, 4097, 3_000_000])
def test_created_buffer_has_the_size_asked_for(shared_buffers: SharedBuffers, nbytes: int) -> None:
    """Public contract §5: not rounded to pages."""
    buffer = shared_buffers(nbytes)
    assert (buffer.nbytes, buffer.read_only) == (nbytes, False)


def test_created_buffer_is_zero_filled(shared_buffers: SharedBuffers) -> None:
    """Public contract §5."""
    with shared_buffers(10_000).map() as mapping:
        assert bytes(mapping) == bytes(10_000)


@pytest.mark.parametrize(
    ("nbytes", "error"),
    [
        (0, InvalidArgumentError),
        (-1, InvalidArgumentError),
        (2**50, ResourceExhaustedError),
        (2**62, ResourceExhaustedError),
        ("1", TypeError),
        (1.0, TypeError),
        (None, TypeError),
    ],
)
def test_create_checks_its_size(nbytes: Any, error: type[Exception]) -> None:
    """System rules §6, public contract §1."""
    with pytest.raises(error):
        create_shared_buffer(nbytes)


# ---- mapping


def test_mapping_is_a_writable_buffer(shared_buffers: SharedBuffers) -> None:
    """Public contract §5."""
    with shared_buffers(8).map() as mapping:
        assert isinstance(mapping, SharedBufferMapping)
        assert (mapping.nbytes, mapping.read_only) == (8, False)
        with memoryview(mapping) as view:
            assert (view.nbytes, view.readonly) == (8, False)


def test_mappings_of_one_buffer_see_each_other(shared_buffers: SharedBuffers) -> None:
    """System rules §6: many concurrent mappings."""
    buffer = shared_buffers(8)
    with buffer.map() as one, buffer.map() as other:
        memoryview(one)[2:4] = b"hi"
        assert bytes(other) == b"\0\0hi\0\0\0\0"


@pytest.mark.parametrize(("offset", "nbytes"), [(50, 50), (50, None), (99, 1), (0, 1), (4095, 3)])
def test_mapping_may_start_anywhere(
    shared_buffers: SharedBuffers, offset: int, nbytes: int | None
) -> None:
    """System rules §6: the offset need not be page aligned."""
    buffer = shared_buffers(5000)
    content = bytes(i % 251 for i in range(5000))
    with buffer.map() as whole:
        memoryview(whole)[:] = content
    length = 5000 - offset if nbytes is None else nbytes
    with buffer.map(offset, nbytes) as part:
        assert part.nbytes == length
        assert bytes(part) == content[offset : offset + length]


@pytest.mark.parametrize(
    ("offset", "nbytes"),
    [
        (0, 101),
        (1, 100),
        (0, 0),
        (100, None),
        (100, 1),
        (101, 1),
        (-1, 1),
        (0, -1),
        (2**64, 1),
        (2**64 - 1, 2),
        (1, 2**64 - 1),
        (2**63, 2**63),
    ],
)
def test_range_outside_the_buffer_is_invalid(
    shared_buffers: SharedBuffers, offset: int, nbytes: int | None
) -> None:
    """System rules §6: checked without overflow; nothing is mapped."""
    buffer = shared_buffers(100)
    with pytest.raises(InvalidArgumentError):
        buffer.map(offset, nbytes)


@pytest.mark.parametrize("bad", [("0", 1), (0, "1"), (0.0, 1), (0, 1.0), (None, 1)], ids=repr)
def test_range_of_the_wrong_type_is_a_type_error(shared_buffers: SharedBuffers, bad: Any) -> None:
    """Public contract §1."""
    with pytest.raises(TypeError):
        shared_buffers(100).map(*bad)


def test_mapping_outlives_every_handle(shared_buffers: SharedBuffers) -> None:
    """System rules §6."""
    buffer = shared_buffers(4)
    with buffer.map() as mapping:
        buffer.close()
        memoryview(mapping)[:] = b"live"
        assert bytes(mapping) == b"live"


def test_unmapping_twice_is_harmless(shared_buffers: SharedBuffers) -> None:
    """Public contract §5."""
    mapping = shared_buffers(4).map()
    mapping.unmap()
    mapping.unmap()


def test_unmapped_mapping_gives_no_more_views(shared_buffers: SharedBuffers) -> None:
    """Public contract §1, §5: it is over."""
    mapping = shared_buffers(4).map()
    mapping.unmap()
    with pytest.raises((InvalidArgumentError, BufferError, ValueError)):
        memoryview(mapping)
    with pytest.raises((InvalidArgumentError, BufferError, ValueError)):
        mapping.as_array(np.uint8)


@pytest.mark.parametrize(
    "view",
    [memoryview, np.asarray, lambda m: np.frombuffer(m, np.uint8), lambda m: m.as_array(np.uint8)],
    ids=["memoryview", "asarray", "frombuffer", "as_array"],
)
def test_unmapping_under_a_live_view_is_refused(
    shared_buffers: SharedBuffers, view: Callable[[SharedBufferMapping], Any]
) -> None:
    """Public contract §5: BufferError, and the mapping is still there."""
    mapping = shared_buffers(4).map()
    live = view(mapping)
    with pytest.raises(BufferError):
        mapping.unmap()
    memoryview(mapping)[:1] = b"\7"
    assert live[0] == 7
    del live
    gc.collect()
    mapping.unmap()


def test_leaving_the_block_unmaps(shared_buffers: SharedBuffers) -> None:
    """Public contract §5: a context manager."""
    with shared_buffers(4).map() as mapping:
        assert mapping.nbytes == 4
    with pytest.raises((InvalidArgumentError, BufferError, ValueError)):
        memoryview(mapping)


def test_leaving_the_block_under_a_live_view_is_refused(shared_buffers: SharedBuffers) -> None:
    """Public contract §5: loudly, as `mmap.close()` does."""
    mapping = shared_buffers(4).map()
    with pytest.raises(BufferError), mapping:
        view = memoryview(mapping)
    view.release()
    mapping.unmap()


# ---- duplicates


def test_duplicate_is_the_same_memory(shared_buffers: SharedBuffers) -> None:
    """Public contract §5."""
    buffer = shared_buffers(4)
    with buffer.duplicate() as other:
        assert (other.nbytes, other.read_only) == (4, False)
        assert other.value != buffer.value
        with other.map() as theirs, buffer.map() as ours:
            memoryview(theirs)[:] = b"same"
            assert bytes(ours) == b"same"


def test_memory_lives_while_any_handle_does(shared_buffers: SharedBuffers) -> None:
    """System rules §6."""
    buffer = shared_buffers(4)
    with buffer.map() as mapping:
        memoryview(mapping)[:] = b"kept"
    with buffer.duplicate() as other:
        buffer.close()
        with other.map() as mapping:
            assert bytes(mapping) == b"kept"


def test_read_only_duplicate_maps_read_only(shared_buffers: SharedBuffers) -> None:
    """Public contract §5: writing raises instead of crashing."""
    buffer = shared_buffers(4)
    with buffer.duplicate(read_only=True) as reader:
        assert reader.read_only
        with reader.map() as mapping:
            assert mapping.read_only
            with memoryview(mapping) as view:
                assert view.readonly
                with pytest.raises(TypeError):
                    view[0] = 1


def test_read_only_duplicate_sees_writes(shared_buffers: SharedBuffers) -> None:
    """System rules §6: made while the writable mapping of the original is alive."""
    buffer = shared_buffers(4)
    with buffer.map() as mapping, buffer.duplicate(read_only=True) as reader:
        memoryview(mapping)[:] = b"seen"
        with reader.map() as theirs:
            assert bytes(theirs) == b"seen"


def test_original_stays_writable(shared_buffers: SharedBuffers) -> None:
    """System rules §6: the 2017 reading; a plain duplicate afterwards is writable too."""
    buffer = shared_buffers(4)
    with buffer.duplicate(read_only=True), buffer.duplicate() as writable:
        assert not buffer.read_only
        assert not writable.read_only
        with writable.map() as mapping:
            memoryview(mapping)[:1] = b"x"


@pytest.mark.parametrize("asked", [False, True])
def test_duplicate_of_a_read_only_handle_is_read_only(
    shared_buffers: SharedBuffers, asked: bool
) -> None:
    """Public contract §5: whether asked for or not."""
    with (
        shared_buffers(4).duplicate(read_only=True) as reader,
        reader.duplicate(read_only=asked) as other,
    ):
        assert other.read_only
        with other.map() as mapping:
            assert mapping.read_only


def test_read_only_duplicate_of_a_writable_duplicate(shared_buffers: SharedBuffers) -> None:
    """Public contract §5: unlike Mojo 2017, of any writable handle."""
    with shared_buffers(4).duplicate() as other, other.duplicate(read_only=True) as reader:
        assert reader.read_only


@pytest.mark.parametrize(
    "call",
    [
        lambda b: b.map(),
        lambda b: b.duplicate(),
        lambda b: b.as_array(np.uint8),
        lambda b: b.unwrap(),
        lambda b: b.nbytes,
        lambda b: b.read_only,
    ],
    ids=["map", "duplicate", "as_array", "unwrap", "nbytes", "read_only"],
)
def test_closed_handle_is_invalid(
    shared_buffers: SharedBuffers, call: Callable[[SharedBufferHandle], object]
) -> None:
    """System rules §6, public contract §1."""
    buffer = shared_buffers(4)
    buffer.close()
    with pytest.raises(InvalidArgumentError):
        call(buffer)
