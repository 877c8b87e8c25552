"""Shared buffers in two processes: one memory, and who may write to it (system rules §6)."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from puppets import Puppet
from puppets.buffers import (
    array_is_writeable,
    attempts_to_write,
    descriptor_of,
    poke,
    sum_array,
    view,
)
from puppets.handles import get, put

from mojo_seq import (
    Handle,
    SharedBufferHandle,
    create_shared_buffer,
    wrap_shared_memory,
)


@pytest.fixture
def buffer(closing: list[Handle]) -> SharedBufferHandle:
    made = create_shared_buffer(10_000)
    closing.append(made)
    return made


# ---- one memory


def test_writes_are_seen_on_the_other_side(child: Puppet, buffer: SharedBufferHandle) -> None:
    """Public contract §5: in both directions, through mappings that are already there."""
    there = child.give(buffer.duplicate())
    far = there.map()
    with buffer.map() as mapping, memoryview(mapping) as near:
        assert bytes(near) == bytes(10_000)
        near[:5] = b"hello"
        assert child.call(view, far, 0, 5) == b"hello"
        child.call(poke, far, 5, b" world")
        assert bytes(near[:11]) == b"hello world"


def test_a_part_is_mapped(child: Puppet, buffer: SharedBufferHandle) -> None:
    """System rules §6: the offset need not be page aligned."""
    with buffer.map(4_090, 20) as mapping:
        there = child.give(buffer.duplicate())
        far = there.map(4_095, 10)
        child.call(poke, far, 0, b"0123456789")
        assert bytes(mapping) == bytes(5) + b"0123456789" + bytes(5)


def test_the_last_of_many_holders(puppets: Callable[[], Puppet]) -> None:
    """System rules §6: it lives while any handle or mapping in any process exists."""
    first, second = puppets(), puppets()
    near = first.give(create_shared_buffer(100))
    first.call(put, near, b"contents")
    moved = first.take(near)
    far = second.give(moved.duplicate())
    mapping = far.map()
    moved.close()
    far.close()
    first.close()
    assert second.call(view, mapping, 0, 8) == b"contents"


def test_a_mapping_outlives_the_process_that_made_the_buffer(
    puppets: Callable[[], Puppet],
) -> None:
    """System rules §6, also if it was killed."""
    child = puppets()
    there = child.call(create_shared_buffer, 100)
    child.call(put, there, b"contents")
    with child.take(there) as here:
        child.kill()
        assert get(here, 8) == b"contents"


def test_an_array_is_shared(child: Puppet, buffer: SharedBufferHandle) -> None:
    """Public contract §5: no copy on either side."""
    array = buffer.as_array(np.int64, (25, 50))
    there = child.give(buffer.duplicate())
    array[:] = np.arange(1_250).reshape(25, 50)
    assert child.call(sum_array, there, (25, 50)) == [int(row.sum()) for row in array]
    child.call(put, there, bytes(8))
    array[1:] = 1
    assert child.call(sum_array, there, (25, 50))[1:] == [50] * 24
    del array


def test_a_large_buffer(child: Puppet, closing: list[Handle]) -> None:
    """Public contract §5: a hundred MiB, of which nothing is sent but a descriptor."""
    buffer = create_shared_buffer(100 << 20)
    closing.append(buffer)
    array = buffer.as_array(np.uint8)
    array[:: 1 << 20] = 3
    there = child.give(buffer.duplicate(read_only=True))
    assert sum(child.call(sum_array, there, (100, 1 << 20))) == 3 * 100
    del array


def test_buffers_come_home(child: Puppet, buffer: SharedBufferHandle) -> None:
    """System rules §6: the same memory still, with its size and its rights."""
    put(buffer, b"contents")
    for read_only in (False, True):
        with child.take(child.give(buffer.duplicate(read_only=read_only))) as home:
            assert (home.nbytes, home.read_only) == (10_000, read_only)
            assert get(home, 8) == b"contents"


def test_bytes_are_told_apart_by_their_guid(child: Puppet, buffer: SharedBufferHandle) -> None:
    """System rules §7: the guid survives transit."""
    unwrapped = buffer.duplicate().unwrap()
    wrapped = wrap_shared_memory(unwrapped.fd, unwrapped.nbytes, guid=unwrapped.guid)
    home = child.take(child.give(wrapped)).unwrap()
    os.close(home.fd)
    assert home[1:] == unwrapped[1:]


# ---- read-only


@pytest.fixture(params=["from here", "from there"])
def read_only(
    request: pytest.FixtureRequest, child: Puppet, buffer: SharedBufferHandle
) -> Iterator[tuple[Callable[..., object], object]]:
    """A read-only handle that has crossed, and how to call functions where it is."""
    if request.param == "from here":
        yield child.call, child.give(buffer.duplicate(read_only=True))
    else:
        there = child.give(buffer.duplicate())
        with child.take(there.duplicate(read_only=True)) as handle:
            yield (lambda function, *args: function(*args)), handle


ReadOnly = tuple[Callable[..., object], object]


def test_a_read_only_handle_stays_read_only(read_only: ReadOnly) -> None:
    """Public contract §5: "also after crossing processes"; its duplicates too."""
    call, handle = read_only
    assert call(getattr, handle, "read_only") is True
    assert call(array_is_writeable, handle) == {"handle": False, "duplicate": False}


def test_writing_raises_instead_of_crashing(
    read_only: ReadOnly, buffer: SharedBufferHandle
) -> None:
    """Public contract §5: the views, the mapping's and the arrays'."""
    call, handle = read_only
    assert call(attempts_to_write, handle) == ["TypeError", "ValueError", "ValueError"]
    assert get(buffer, 100) == bytes(100)


def test_the_descriptor_refuses_a_writable_mapping(read_only: ReadOnly) -> None:
    """System rules §6: the unwrapped descriptor itself."""
    call, handle = read_only
    outcome = call(descriptor_of, handle)
    assert outcome == {
        "read_only": True,
        "readable mapping": "ok",
        "writable mapping": "PermissionError",
        "write": "OSError",
        "truncate": "OSError",
    }


def test_read_only_and_writable_coexist(child: Puppet, buffer: SharedBufferHandle) -> None:
    """System rules §6: the reader sees what the writer writes."""
    reader, writer = (
        child.give(buffer.duplicate(read_only=True)),
        child.give(buffer.duplicate()),
    )
    child.call(put, writer, b"contents")
    assert child.call(get, reader, 8) == b"contents"


def test_a_received_writable_handle_can_be_made_read_only(
    child: Puppet, buffer: SharedBufferHandle
) -> None:
    """Public contract §5: "transferred ones included", and a writable mapping may be alive."""
    there = child.give(buffer.duplicate())
    far = there.map()
    reduced = there.duplicate(read_only=True)
    child.call(poke, far, 0, b"contents")
    assert child.call(get, reduced, 8) == b"contents"
    assert child.call(array_is_writeable, reduced) == {"handle": False, "duplicate": False}
    assert child.call(array_is_writeable, there) == {"handle": True, "duplicate": True}


def test_a_received_buffer_cannot_shrink(child: Puppet, buffer: SharedBufferHandle) -> None:
    """Public contract §5: sealed, or its readers would crash."""
    unwrapped = child.take(child.give(buffer.duplicate())).unwrap()
    try:
        with pytest.raises(OSError):
            os.truncate(unwrapped.fd, 10)
        with pytest.raises(OSError):
            os.truncate(unwrapped.fd, 1_000_000)
        with mmap.mmap(unwrapped.fd, 10_000) as writable:
            writable[0] = 1
    finally:
        os.close(unwrapped.fd)
    assert get(buffer, 1) == b"\1"
