"""What children do with shared buffers."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

import numpy as np

from mojo_seq import SharedBufferHandle, SharedBufferMapping


def view(mapping: SharedBufferMapping, start: int, nbytes: int) -> bytes:
    return bytes(memoryview(mapping)[start : start + nbytes])


def poke(mapping: SharedBufferMapping, start: int, data: bytes) -> None:
    memoryview(mapping)[start : start + len(data)] = data


def sum_array(buffer: SharedBufferHandle, shape: tuple[int, int]) -> list[int]:
    """The sums of the rows; of the bytes, if such rows fill the buffer."""
    rows, columns = shape
    fits = rows * columns * 8 <= buffer.nbytes
    array = buffer.as_array(np.int64 if fits else np.uint8, shape)
    return [int(row.sum()) for row in array]


def array_is_writeable(buffer: SharedBufferHandle) -> dict[str, bool]:
    with buffer.duplicate() as other:
        return {
            "handle": buffer.as_array(np.uint8).flags.writeable,
            "duplicate": other.as_array(np.uint8).flags.writeable,
        }


def _outcome(function: Callable[[], object]) -> str:
    try:
        function()
    except Exception as exc:
        return type(exc).__name__
    return "ok"


def attempts_to_write(buffer: SharedBufferHandle) -> list[str]:
    """What comes of writing to the mapping, to its array and to the handle's."""
    with buffer.map() as mapping:

        def write_to_view() -> None:
            with memoryview(mapping) as view:
                view[0] = 1

        def write_to_mapped() -> None:
            mapping.as_array(np.uint8)[0] = 1

        def write_to_array() -> None:
            buffer.as_array(np.uint8)[0] = 1

        return [_outcome(write_to_view), _outcome(write_to_mapped), _outcome(write_to_array)]


def descriptor_of(buffer: SharedBufferHandle) -> dict[str, object]:
    """What the unwrapped descriptor allows. The handle is used up."""
    fd, nbytes, _, read_only = buffer.unwrap()
    try:
        return {
            "read_only": read_only,
            "readable mapping": _outcome(
                lambda: mmap.mmap(fd, nbytes, prot=mmap.PROT_READ).close()
            ),
            "writable mapping": _outcome(lambda: mmap.mmap(fd, nbytes).close()),
            "write": _outcome(lambda: os.write(fd, b"x")),
            "truncate": _outcome(lambda: os.truncate(fd, 1)),
        }
    finally:
        os.close(fd)
