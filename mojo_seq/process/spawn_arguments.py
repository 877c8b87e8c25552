"""What a started process is told first: how to prepare itself, what to call, and the handles."""

from __future__ import annotations

import io
import pickle
import sys
from types import FunctionType

from mojo_seq import _core
from mojo_seq.process import main_module
from mojo_seq.process.array_transfer import reduce_shared
from mojo_seq.process.buffer_layout import WITH_BUFFERS, Layout, split
from mojo_seq.process.encoding import Decoder, Encoder, check_movable, here

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class _Pickler(pickle.Pickler):
    """Puts a number in the place of each handle; the handles themselves go beside the pickle."""

    def __init__(self, buffer: io.BytesIO, has_main: bool, encoder: Encoder) -> None:
        super().__init__(buffer, pickle.HIGHEST_PROTOCOL, buffer_callback=encoder.take_buffer)
        self.handles: list[_core.Handle] = []
        self._has_main = has_main

    def persistent_id(self, obj: object) -> int | None:
        if isinstance(obj, _core.Handle):
            return self._add(obj)
        if (
            not self._has_main
            and isinstance(obj, FunctionType | type)
            and obj.__module__ in main_module.NAMES
        ):
            raise main_module.not_importable(obj)
        return None

    def reducer_override(self, obj: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(obj) is numpy.ndarray:
            return reduce_shared(obj) or NotImplemented
        return NotImplemented

    def _add(self, handle: _core.Handle) -> int:
        check_movable(handle)
        if any(each is handle for each in self.handles):
            raise _core.BusyError(f"{handle!r} is listed twice")
        self.handles.append(handle)
        return len(self.handles) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, buffer: io.BytesIO, handles: list[_core.Handle], buffers: Iterable[memoryview]
    ) -> None:
        super().__init__(buffer, buffers=buffers)
        self._handles = handles

    def persistent_load(self, pid: int) -> _core.Handle:
        return self._handles[pid]


def pack(
    preparation: dict[str, Any],
    target: Callable[..., object],
    args: tuple[object, ...],
    *,
    caller: str = "spawn_process",
) -> tuple[bytes, list[_core.Handle]]:
    """Pickles; nothing happens to the handles yet. `caller` is what notes name.

    Returns:
        The payload and the handles of a message.

    Raises:
        Whatever the pickling of target or args raises, with a note that tells which it was.
        BusyError: a handle is in them twice.
        InvalidArgumentError: a handle in them is closed or sent, or is a Watcher.
    """
    how = main_module.source()
    buffer = io.BytesIO()
    told = {**preparation, "main": how, "memory_budget": _core.chosen_memory_budget()}
    pickle.dump(told, buffer, pickle.HIGHEST_PROTOCOL)
    outer = here.encoder
    encoder = here.encoder = Encoder()  # for what has handles made for it when it is pickled
    pickler = _Pickler(buffer, how is not None, encoder)
    pickler.dump(len(args))
    encoder.handles = pickler.handles
    try:
        _dump(pickler, target, f"the target of {caller}")
        for number, argument in enumerate(args, 1):
            _dump(pickler, argument, f"argument {number} of {caller}")
    except BaseException:
        encoder.discard()
        raise
    finally:
        here.encoder = outer
    encoder.forget_made()  # they are with the others now
    encoder.sent()
    pickled = buffer.getvalue()
    if not encoder.buffers:
        return pickled, pickler.handles
    return _lay_out(pickled, encoder), pickler.handles


class Packed:
    """What `pack_often` has packed, for `Arguments`: the payload, and the shared memory that it
    refers to, as buffers. It can be an argument itself, of any number of processes."""

    __slots__ = ("payload", "segments")

    def __init__(self, payload: bytes, *segments: memoryview) -> None:
        self.payload = payload
        self.segments = segments

    def __reduce__(self) -> Any:
        return Packed, (self.payload, *map(pickle.PickleBuffer, self.segments))


def pack_often(
    target: Callable[..., object], args: tuple[object, ...], *, caller: str = "spawn_process"
) -> Packed:
    """The same for a call that several processes will make. Shared arrays can be in it.

    Raises:
        As `pack`, and InvalidArgumentError for a handle, which only one of them could have.
    """
    payload, handles = pack({}, target, args, caller=caller)
    try:
        for each in handles:
            if not isinstance(each, _core.SharedSegmentHandle):
                raise _core.InvalidArgumentError(f"{each!r} cannot be sent to more than one worker")
        segments = [each for each in handles if isinstance(each, _core.SharedSegmentHandle)]
        return Packed(payload, *(memoryview(each.segment()) for each in segments))
    finally:
        for each in handles:
            if isinstance(each, _core.SharedSegmentHandle):
                each.close()


def _lay_out(pickled: bytes, encoder: Encoder) -> bytes:
    """With the buffers; adds the handles that they need."""
    places: dict[int, int] = {}

    def place_of(segment: _core.Segment) -> int:
        if segment.key not in places:
            places[segment.key] = len(encoder.handles)
            encoder.handles.append(segment.to_handle())
        return places[segment.key]

    layout = Layout(pickled, b"", encoder.buffers, read_only=False)
    payload = bytearray(layout.nbytes)
    layout.fill(memoryview(payload), place_of)
    return bytes(payload)


def _dump(pickler: _Pickler, part: object, place: str) -> None:
    try:
        if isinstance(part, FunctionType):
            _check_importable(part)
        pickler.dump(part)
    except Exception as error:
        error.add_note(f"This is about {place}, which another interpreter needs.")
        raise


def _check_importable(function: FunctionType) -> None:
    """Finds out here, rather than there, that a function's module is nowhere to be found.

    Only the outermost package is searched for: what is in it may be made when it is imported.
    """
    root = function.__module__.partition(".")[0]
    if root in main_module.NAMES:
        return
    finders = [each for each in sys.meta_path if hasattr(each, "find_spec")]
    if not any(each.find_spec(root, None) for each in finders):
        raise pickle.PicklingError(
            f"{function.__qualname__} is defined in the module {function.__module__!r}, which "
            "cannot be imported by that name"
        )


class Arguments:
    """What `pack` has packed, in the started process: first the preparation, then the rest."""

    def __init__(self, packed: bytes | Packed, handles: list[_core.Handle]) -> None:
        self._handles = handles
        self._decoder = Decoder(handles)
        payload = packed.payload if isinstance(packed, Packed) else packed
        pickled: bytes | memoryview = payload
        self._buffers: list[memoryview] = []
        if payload[0] == WITH_BUFFERS:
            # A copy that can be written to, for the arrays are views of it.
            segment_at: Callable[[int], Any] = self._decoder.segment
            if isinstance(packed, Packed):
                segment_at = packed.segments.__getitem__
            pickled, self._buffers = split(memoryview(bytearray(payload)), segment_at)
            for handle in handles:
                if isinstance(handle, _core.SharedSegmentHandle):
                    handle.close()
        self._buffer = io.BytesIO(pickled)
        self.preparation: dict[str, Any] = pickle.load(self._buffer)

    def load(self) -> tuple[Callable[..., object], list[object]]:
        """The target and its arguments. Imports what they need."""
        unpickler = _Unpickler(self._buffer, self._handles, self._buffers)
        outer = here.decoder
        here.decoder = self._decoder
        try:
            count = unpickler.load()
            target = unpickler.load()
            return target, [unpickler.load() for _ in range(count)]
        finally:
            here.decoder = outer
