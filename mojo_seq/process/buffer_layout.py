"""How a pickle and the buffers beside it look in a payload:

    header, one record for each buffer, the pickle, the buffers, and whatever follows

The buffers begin at multiples of 64 bytes: they are copied once, into the message, and are used
there by the receiver. One that lies in shared memory is not copied: its record says in which of the
message's handles it is, and where.
"""

from __future__ import annotations

import struct

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mojo_seq.process.encoding import OutOfBand

WITH_BUFFERS = 0x01  # the first byte; that of a pickle is 0x80
READ_ONLY = 1  # flags of the message: what was copied into it can only be read
WRITABLE = 1  # flags of a buffer: but not this one
_ALIGNMENT = 64
_HEADER = struct.Struct("<BBxxIQ")  # the mark, flags, how many buffers, the pickle's size
_RECORD = struct.Struct("<QQII")  # size, offset, number of the handle plus one or 0, flags
_MOST_HANDLES = 1 << 20


class Layout:
    """Where everything goes in one payload."""

    __slots__ = ("_flags", "_offsets", "_parts", "_pickled", "_suffix", "nbytes")

    def __init__(
        self, pickled: bytes, suffix: bytes, parts: Sequence[OutOfBand], read_only: bool
    ) -> None:
        self._pickled = pickled
        self._suffix = suffix
        self._parts = parts
        self._flags = READ_ONLY if read_only else 0
        end = _HEADER.size + _RECORD.size * len(parts) + len(pickled)
        self._offsets = []
        for part in parts:
            if part.segment is None:
                end = (end + _ALIGNMENT - 1) & -_ALIGNMENT
                self._offsets.append(end)
                end += part.raw.nbytes
            else:
                self._offsets.append(part.offset)
        self.nbytes = end + len(suffix)

    def fill(self, target: memoryview, place_of: Callable[[_core.Segment], int]) -> None:
        """Writes all of it. `place_of`: the number of the handle that a segment travels in."""
        _HEADER.pack_into(
            target, 0, WITH_BUFFERS, self._flags, len(self._parts), len(self._pickled)
        )
        place = _HEADER.size
        for part, offset in zip(self._parts, self._offsets, strict=True):
            handle = 0 if part.segment is None else place_of(part.segment) + 1
            flags = WRITABLE if part.writable else 0
            _RECORD.pack_into(target, place, part.raw.nbytes, offset, handle, flags)
            place += _RECORD.size
        end = place + len(self._pickled)
        target[place:end] = self._pickled
        for part, offset in zip(self._parts, self._offsets, strict=True):
            if part.segment is None:
                end = offset + part.raw.nbytes
                _core.copy_bytes(target[offset:end], part.raw)
        if self._suffix:
            target[self.nbytes - len(self._suffix) :] = self._suffix

    def writable(self) -> list[tuple[memoryview, int]]:
        """The copied buffers that the receiver can write to, and where they are."""
        return [
            (part.raw, offset)
            for part, offset in zip(self._parts, self._offsets, strict=True)
            if part.segment is None and (part.writable or not self._flags & READ_ONLY)
        ]


def split(
    payload: memoryview, segment_at: Callable[[int], _core.Segment | memoryview]
) -> tuple[memoryview, list[memoryview]]:
    """The pickle, and the buffers as they are to be given to it.

    Args:
        payload: begins with WITH_BUFFERS.
        segment_at: the segment in the handle with that number.

    Raises:
        DataLossError: it is not what `Layout` writes.
    """
    try:
        mark, message_flags, count, pickle_size = _HEADER.unpack_from(payload)
        start = _HEADER.size + _RECORD.size * count
        if mark != WITH_BUFFERS or start > len(payload):
            raise _core.DataLossError("the message is no encoded object")
        records = list(_RECORD.iter_unpack(payload[_HEADER.size : start]))
    except struct.error as error:
        raise _core.DataLossError("the message is no encoded object") from error
    if pickle_size > len(payload) - start:
        raise _core.DataLossError("the message is shorter than it says")
    read_only = bool(message_flags & READ_ONLY)
    frozen = read_only
    buffers = []
    views: dict[int, memoryview] = {}
    for size, offset, place, flags in records:
        if place == 0:
            source = payload
            is_writable = bool(flags & WRITABLE) or not read_only
            frozen = frozen and not is_writable
        else:
            if place > _MOST_HANDLES:
                raise _core.DataLossError("the message is no encoded object")
            source = views.get(place) or views.setdefault(place, memoryview(segment_at(place - 1)))
            is_writable = bool(flags & WRITABLE)
        if offset > len(source) or size > len(source) - offset:
            raise _core.DataLossError("the message is shorter than it says")
        buffer = source[offset : offset + size]
        buffers.append(buffer if is_writable else buffer.toreadonly())
    if frozen:
        # Nobody will write to it, so it can be sent on as it is.
        found = _core.find_segment(payload)
        if found is not None:
            found[0].freeze()
    return payload[start : start + pickle_size], buffers
