"""Descriptors and OS shared memory as handles, and back (public contract §6, system rules §7)."""

from __future__ import annotations

import fcntl
import mmap
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mojo_seq import (
    Handle,
    InvalidArgumentError,
    PlatformHandle,
    PlatformSharedMemory,
    SharedBufferHandle,
    wrap_fd,
    wrap_shared_memory,
)

SharedBuffers = Callable[[int], SharedBufferHandle]


def is_open(fd: int) -> bool:
    """Whether the descriptor is open in this process."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def fd() -> Iterator[int]:
    """A descriptor that the test gives away."""
    yield os.open("/dev/null", os.O_RDWR)


@pytest.fixture
def memory() -> Iterator[int]:
    """A memfd of 100 bytes; closed at the end if the test did not give it away."""
    fd = os.memfd_create("test")
    os.ftruncate(fd, 100)
    inode = os.fstat(fd).st_ino
    yield fd
    if is_open(fd) and os.fstat(fd).st_ino == inode:
        os.close(fd)


# ---- descriptors


def test_wrapping_takes_ownership(fd: int) -> None:
    """System rules §7: closing the handle closes the descriptor."""
    handle = wrap_fd(fd)
    assert isinstance(handle, PlatformHandle)
    assert is_open(fd)
    handle.close()
    assert not is_open(fd)


def test_unwrapping_gives_the_same_descriptor_back(fd: int) -> None:
    """System rules §7: wrapping never duplicates; the handle is invalid, the caller owns it."""
    handle = wrap_fd(fd)
    assert handle.unwrap() == fd
    assert not handle.is_valid
    handle.close()
    assert is_open(fd)
    os.close(fd)


def test_unwrapping_twice_is_invalid(fd: int) -> None:
    """System rules §7."""
    handle = wrap_fd(fd)
    handle.unwrap()
    with pytest.raises(InvalidArgumentError):
        handle.unwrap()
    os.close(fd)


def test_unwrapping_a_closed_handle_is_invalid(fd: int) -> None:
    """Public contract §2."""
    handle = wrap_fd(fd)
    handle.close()
    with pytest.raises(InvalidArgumentError):
        handle.unwrap()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (-1, InvalidArgumentError),
        (2**31, InvalidArgumentError),
        (2**64, InvalidArgumentError),
        ("0", TypeError),
        (1.0, TypeError),
        (None, TypeError),
    ],
)
def test_wrap_fd_checks_its_argument(wrong: Any, error: type[Exception]) -> None:
    """Public contract §1."""
    with pytest.raises(error):
        wrap_fd(wrong)


def test_wrapping_what_is_not_open_is_invalid(fd: int) -> None:
    """A number that is no descriptor now could be anybody's when the handle closes it."""
    os.close(fd)
    with pytest.raises(InvalidArgumentError):
        wrap_fd(fd)


# ---- shared memory out


@pytest.mark.parametrize("read_only", [False, True])
def test_unwrapped_shared_buffer_says_what_it_is(
    shared_buffers: SharedBuffers, closing: list[Handle], read_only: bool
) -> None:
    """Public contract §6: descriptor, size, guid, access."""
    handle = shared_buffers(100).duplicate(read_only=read_only)
    closing.append(handle)
    memory = handle.unwrap()
    assert isinstance(memory, PlatformSharedMemory)
    assert memory == (memory.fd, memory.nbytes, memory.guid, memory.read_only)
    assert (memory.nbytes, memory.read_only) == (100, read_only)
    assert isinstance(memory.guid, uuid.UUID)
    assert not handle.is_valid
    assert os.fstat(memory.fd).st_size >= 100
    os.close(memory.fd)


def test_unwrapped_descriptor_is_the_memory(shared_buffers: SharedBuffers) -> None:
    """Public contract §6: mapped by the OS's own means, it shows the same bytes."""
    buffer = shared_buffers(100)
    with buffer.map() as mapping:
        memoryview(mapping)[:4] = b"same"
        memory = buffer.unwrap()
        with mmap.mmap(memory.fd, 100) as theirs:
            assert theirs[:4] == b"same"
            theirs[:4] = b"back"
        os.close(memory.fd)
        assert bytes(mapping)[:4] == b"back"


def test_unwrapped_read_only_descriptor_refuses_writing(shared_buffers: SharedBuffers) -> None:
    """System rules §6: the descriptor itself, not only our own mapping."""
    memory = shared_buffers(100).duplicate(read_only=True).unwrap()
    with pytest.raises(PermissionError):
        mmap.mmap(memory.fd, 100)
    with pytest.raises(OSError):
        os.write(memory.fd, b"x")
    os.close(memory.fd)


def test_size_of_the_memory_is_sealed(shared_buffers: SharedBuffers) -> None:
    """A receiver that maps it must not be cut short under its feet (that would be SIGBUS)."""
    memory = shared_buffers(100).unwrap()
    seals = fcntl.fcntl(memory.fd, fcntl.F_GET_SEALS)
    assert seals & fcntl.F_SEAL_SHRINK
    assert seals & fcntl.F_SEAL_GROW
    with pytest.raises(PermissionError):
        os.ftruncate(memory.fd, 1)
    os.close(memory.fd)


def test_descriptors_are_not_inherited(shared_buffers: SharedBuffers) -> None:
    """PEP 446."""
    memory = shared_buffers(100).unwrap()
    assert not os.get_inheritable(memory.fd)
    os.close(memory.fd)


# ---- shared memory in


def test_wrapped_memory_is_a_shared_buffer(memory: int) -> None:
    """Public contract §6."""
    os.pwrite(memory, b"abc", 0)
    with wrap_shared_memory(memory, 100) as handle:
        assert isinstance(handle, SharedBufferHandle)
        assert (handle.nbytes, handle.read_only) == (100, False)
        with handle.map() as mapping:
            assert bytes(mapping)[:4] == b"abc\0"
    assert not is_open(memory)


def test_wrapping_and_unwrapping_keeps_everything(shared_buffers: SharedBuffers) -> None:
    """System rules §7: the guid names the memory, wherever it goes."""
    with shared_buffers(100).duplicate() as other:
        first = other.unwrap()
    second = wrap_shared_memory(first.fd, first.nbytes, guid=first.guid).unwrap()
    assert second[1:] == first[1:]
    os.close(second.fd)


def test_guid_is_kept(memory: int) -> None:
    """System rules §7."""
    guid = uuid.uuid4()
    unwrapped = wrap_shared_memory(memory, 100, guid=guid).unwrap()
    assert unwrapped.guid == guid
    os.close(unwrapped.fd)


def test_duplicates_share_a_guid_and_buffers_do_not(shared_buffers: SharedBuffers) -> None:
    """System rules §7: it identifies the memory, not the handle."""
    one, other = shared_buffers(1), shared_buffers(1)
    unwrapped = [one.duplicate().unwrap(), one.unwrap(), other.unwrap()]
    for each in unwrapped:
        os.close(each.fd)
    assert unwrapped[0].guid == unwrapped[1].guid
    assert unwrapped[0].guid != unwrapped[2].guid


def test_guid_survives_a_message(shared_buffers: SharedBuffers, pipe: Any) -> None:
    """System rules §7: in transit."""
    buffer = shared_buffers(1)
    guid = buffer.duplicate().unwrap()
    os.close(guid.fd)
    pipe.handle0.write(b"", [buffer])
    with pipe.handle1.read() as message:
        received = message.handles[0].unwrap()
    os.close(received.fd)
    assert received.guid == guid.guid


def test_smaller_part_of_the_memory_may_be_wrapped(memory: int) -> None:
    """Public contract §6: only a descriptor smaller than nbytes is refused."""
    with wrap_shared_memory(memory, 60) as handle:
        assert handle.nbytes == 60
        with pytest.raises(InvalidArgumentError):
            handle.map(0, 61)


def test_read_only_wrapping_of_a_writable_descriptor(memory: int) -> None:
    """Public contract §6: it is re-opened read-only, so the claim is true."""
    unwrapped = wrap_shared_memory(memory, 100, read_only=True).unwrap()
    assert unwrapped.read_only
    with pytest.raises(PermissionError):
        mmap.mmap(unwrapped.fd, 100)
    os.close(unwrapped.fd)
    assert not is_open(memory)


def test_read_only_descriptor_wrapped_as_such(memory: int) -> None:
    """Public contract §6."""
    reader = os.open(f"/proc/self/fd/{memory}", os.O_RDONLY)
    with wrap_shared_memory(reader, 100, read_only=True) as handle, handle.map() as mapping:
        assert mapping.read_only
    assert not is_open(reader)


def failing() -> Iterator[tuple[str, dict[str, Any], type[Exception]]]:
    yield "larger", {"nbytes": 101}, InvalidArgumentError
    yield "nothing", {"nbytes": 0}, InvalidArgumentError
    yield "negative", {"nbytes": -1}, InvalidArgumentError
    yield "text", {"nbytes": "1"}, TypeError
    yield "guid", {"nbytes": 1, "guid": "not a uuid"}, TypeError


@pytest.mark.parametrize(
    ("arguments", "error"), [row[1:] for row in failing()], ids=[row[0] for row in failing()]
)
def test_failed_wrapping_leaves_the_descriptor_to_the_caller(
    memory: int, arguments: dict[str, Any], error: type[Exception]
) -> None:
    """Public contract §6: owns the descriptor on success only."""
    with pytest.raises(error):
        wrap_shared_memory(memory, **arguments)
    assert is_open(memory)


def test_read_only_descriptor_is_not_mappable_as_writable(memory: int) -> None:
    """Public contract §6: not mappable as claimed; the caller keeps it."""
    reader = os.open(f"/proc/self/fd/{memory}", os.O_RDONLY)
    with pytest.raises(InvalidArgumentError):
        wrap_shared_memory(reader, 100)
    assert is_open(reader)
    os.close(reader)


def test_descriptor_of_something_else_is_invalid() -> None:
    """Public contract §6: a pipe has no size and cannot be mapped."""
    read_fd, write_fd = os.pipe()
    for read_only in (False, True):
        with pytest.raises(InvalidArgumentError):
            wrap_shared_memory(read_fd, 1, read_only=read_only)
    assert is_open(read_fd)
    os.close(read_fd)
    os.close(write_fd)


def test_closed_descriptor_is_invalid(memory: int) -> None:
    """Public contract §6."""
    os.close(memory)
    with pytest.raises(InvalidArgumentError):
        wrap_shared_memory(memory, 100)
