"""How arrays in shared memory travel: as the memory, and where in it they are.

numpy is there whenever there is an array; nothing here imports it before.
"""

from __future__ import annotations

import sys
from pickle import PickleBuffer

from mojo_seq import _core
from mojo_seq.process.encoding import Encoder

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    _Array = np.ndarray[Any, np.dtype[Any]]


class Place:
    """Where an array is in shared memory: the bytes from its first item to its last."""

    __slots__ = ("array", "first", "nbytes", "offset", "segment")

    def __init__(
        self, array: _Array, segment: _core.Segment, offset: int, nbytes: int, first: int
    ) -> None:
        self.array = array
        self.segment = segment
        self.offset = offset
        self.nbytes = nbytes
        self.first = first  # where the item with the index 0 is among them

    def buffer(self) -> PickleBuffer:
        """The bytes, to be pickled; they are sent as they are."""
        view = memoryview(self.segment)[self.offset : self.offset + self.nbytes]
        return PickleBuffer(view if self.array.flags.writeable else view.toreadonly())

    def reduce(self, buffer: PickleBuffer) -> tuple[Any, ...]:
        """What is pickled in the array's place."""
        array = self.array
        return rebuild, (buffer, array.dtype, array.shape, array.strides, self.first)


def find(array: _Array) -> Place | None:
    """Where it is; None: not in shared memory, or it has no items."""
    if array.size == 0 or array.dtype.hasobject or array.dtype.itemsize == 0:
        return None
    first: int = array.__array_interface__["data"][0]
    low = high = first
    for count, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (count - 1) * stride
        else:
            high += (count - 1) * stride
    nbytes = high + array.dtype.itemsize - low
    found = _core.find_segment_at(low, nbytes)
    if found is None:
        return None
    return Place(array, found[0], found[1], nbytes, first - low)


def reduce_shared(array: _Array) -> tuple[Any, ...] | None:
    """What pickle makes of an array that is shared; None if it is not."""
    place = find(array)
    if place is None or not place.segment.is_shared:
        return None
    return place.reduce(place.buffer())


def reduce_given(array: _Array, encoder: Encoder) -> Any:
    """What pickle makes of an array that is given away."""
    place = find(array)
    if place is not None and _may_go(array, place.segment):
        buffer = place.buffer()
        if encoder.trial:
            return place.reduce(buffer)
        array.flags.writeable = False
        encoder.give(buffer, lambda: setattr(array.flags, "writeable", True))
        return place.reduce(buffer)
    reduced: Any = array.__reduce_ex__(5)
    if not array.flags.writeable or not _has_buffer(reduced):
        reduced = array.copy().__reduce_ex__(5)
    if _has_buffer(reduced):
        encoder.give(reduced[1][0])
    return reduced


def _has_buffer(reduced: Any) -> bool:
    return bool(reduced[1]) and isinstance(reduced[1][0], PickleBuffer)


def _may_go(array: _Array, segment: _core.Segment) -> bool:
    """It can be written to, and nobody else here looks at its memory, as far as can be known."""
    if not array.flags.writeable or segment.is_frozen:
        return False
    numpy = sys.modules["numpy"]
    root = array.base
    # All views of some memory have the array in common that was first made of it.
    return isinstance(root, numpy.ndarray) and _references(root) <= _alone()


def _references(root: object) -> int:
    return sys.getrefcount(root)


def _alone() -> int:
    """The count for an array that only one view refers to, here and now."""
    numpy = sys.modules["numpy"]
    view = numpy.zeros(1)[:]
    root = view.base
    return _references(root)


def rebuild(
    buffer: Any, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...], first: int
) -> _Array:
    """Makes the array again, as a view of the buffer."""
    import numpy as np

    # A view of a view: only this way does numpy hold the buffer, not just a reference to it.
    root = np.frombuffer(buffer, dtype=np.uint8)
    return np.ndarray(shape, dtype=dtype, buffer=root, offset=first, strides=strides)
