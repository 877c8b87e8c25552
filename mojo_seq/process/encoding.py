"""The encoding or decoding that runs in this thread: what its objects leave beside the pickle.

Nothing here imports pickle: handles ask this module how they may be pickled, whoever does it.
"""

from __future__ import annotations

import threading

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

# Below this many bytes a buffer is cheaper in the pickle than beside it.
SMALLEST_BUFFER = 2048
# From here on memory that nobody writes to is sent on as it is; a small part would keep the whole.
_WORTH_SENDING_ON = 65536


class OutOfBand:
    """A buffer beside a pickle.

    Args:
        raw: its bytes.
        segment: the shared memory that they are sent in, as they are; None: they are copied.
        offset: where they begin there.
        writable: by whoever receives it, whatever holds for the rest of the message.
    """

    __slots__ = ("offset", "raw", "segment", "writable")

    def __init__(
        self, raw: memoryview, segment: _core.Segment | None, offset: int, writable: bool
    ) -> None:
        self.raw = raw
        self.segment = segment
        self.offset = offset
        self.writable = writable


class _Given:
    """A PickleBuffer that is given away."""

    __slots__ = ("buffer", "moves")

    def __init__(self, buffer: Any, moves: bool) -> None:
        self.buffer = buffer  # kept, so that its number is nobody else's
        self.moves = moves


def _goes_as_it_is(segment: _core.Segment, raw: memoryview) -> bool:
    if segment.is_shared:
        return True
    return segment.is_frozen and raw.readonly and raw.nbytes >= _WORTH_SENDING_ON


class Encoder:
    """What one object leaves beside its pickle; of one thread.

    Args:
        trial: nothing is to be sent: it is only tried what can be encoded.
        read_only: who receives it can only read what is copied.
        known: a key of `add_once`: who receives it has got that handle before.
    """

    __slots__ = (
        "_given",
        "_known",
        "_once",
        "_unsent",
        "buffers",
        "handles",
        "read_only",
        "trial",
    )

    def __init__(
        self, trial: bool = False, read_only: bool = False, known: Hashable = None
    ) -> None:
        self.handles: list[_core.Handle] = []
        self.buffers: list[OutOfBand] = []
        self.trial = trial
        self.read_only = read_only
        self._known = known
        self._once: dict[Hashable, int] | None = None
        self._given: dict[int, _Given] | None = None
        self._unsent: _Unsent | None = None

    def add_handle(self, handle: _core.Handle) -> int:
        """Sends a handle beside the pickle.

        Returns:
            int: its place there, for `Decoder.take`.

        Raises:
            InvalidArgumentError: it is closed or sent, or is a Watcher.
            BusyError: it is there already.
        """
        check_movable(handle)
        if any(each is handle for each in self.handles):
            raise _core.BusyError(f"{handle!r} is listed twice")
        self.handles.append(handle)
        return len(self.handles) - 1

    def add_once(self, key: Hashable, make: Callable[[], _core.Handle]) -> int | None:
        """The same for a handle that `make` makes, the first time that this is called with `key`;
        the handle is the encoder's. None: `key` is known there."""
        if key == self._known:
            return None
        once = self._once = {} if self._once is None else self._once
        place = once.get(key)
        if place is None:
            handle = make()
            self._if_unsent().made.append(handle)
            place = once[key] = self.add_handle(handle)
        return place

    def take_buffer(self, buffer: Any) -> bool:
        """For pickle: True if the buffer (a PickleBuffer) is to be in the pickle."""
        raw: memoryview = buffer.raw()
        nbytes = raw.nbytes
        given = self._given.get(id(buffer)) if self._given is not None else None
        found = _core.find_segment(raw) if nbytes else None
        if found is not None:
            segment, offset = found
            if _goes_as_it_is(segment, raw) if given is None else given.moves:
                writable = segment.is_shared or given is not None
                self.buffers.append(OutOfBand(raw, segment, offset, writable))
                return False
        # Beside the pickle it can be made read-only, whatever its size.
        if nbytes < SMALLEST_BUFFER and not self.read_only and given is None:
            return True
        self.buffers.append(OutOfBand(raw, None, 0, given is not None))
        return False

    def give(self, buffer: Any, take_back: Callable[[], object] | None = None) -> None:
        """A PickleBuffer that is just being pickled belongs to whoever receives it.

        It is copied, unless there is `take_back`, which is called if it is not sent after all.
        """
        if self._given is None:
            self._given = {}
        self._given[id(buffer)] = _Given(buffer, take_back is not None)
        if take_back is not None:
            self._if_unsent().take_back.append(take_back)

    def sent(self) -> None:
        """There is nothing to be taken back any more."""
        if self._unsent is not None:
            self._unsent.take_back.clear()

    def forget_made(self) -> None:
        """Somebody else has the handles that were made for it."""
        if self._unsent is not None:
            self._unsent.made.clear()

    def discard(self) -> None:
        """It will not be sent."""
        if self._unsent is not None:
            self._unsent.undo()

    def _if_unsent(self) -> _Unsent:
        if self._unsent is None:
            self._unsent = _Unsent()
        return self._unsent


class _Unsent:
    """What is to be undone for an object that is not sent, also if it is forgotten. Few need that,
    and only they pay for it: a finalizer takes time, and swallows a Ctrl-C that comes then."""

    __slots__ = ("made", "take_back")

    def __init__(self) -> None:
        self.made: list[_core.Handle] = []  # handles that nobody else knows
        self.take_back: list[Callable[[], object]] = []

    def undo(self) -> None:
        for each in self.made:
            each.close()
        while self.take_back:
            self.take_back.pop()()

    def __del__(self) -> None:
        self.undo()  # what was sent is closed already


class Decoder:
    """The handles that came with one message; of one thread."""

    __slots__ = ("_handles", "_taken")

    def __init__(self, handles: list[_core.Handle]) -> None:
        self._handles = handles
        self._taken = set[int]()

    def take(self, place: int) -> _core.Handle:
        """A handle, for the object that is being made of it."""
        self._taken.add(place)
        return self._handles[place]

    def segment(self, place: int) -> _core.Segment:
        """The memory of arrays that came in the handle with that number."""
        handle = self._handles[place] if place < len(self._handles) else None
        if not isinstance(handle, _core.SharedSegmentHandle):
            raise _core.DataLossError("the message is no encoded object")
        return handle.segment()

    def close_rest(self, failed: bool) -> None:
        """Nothing more will be taken; if decoding failed, nobody has what was."""
        for place, handle in enumerate(self._handles):
            if failed or place not in self._taken:
                handle.close()


class _Here(threading.local):
    encoder: Encoder | None = None
    decoder: Decoder | None = None


here = _Here()


def check_movable(handle: _core.Handle) -> None:
    """Raises InvalidArgumentError for a handle that cannot leave."""
    if isinstance(handle, _core.Watcher):
        raise _core.InvalidArgumentError(f"{handle!r}: a watcher cannot leave its process")
    if not handle.is_valid:
        raise _core.InvalidArgumentError(f"{handle!r} cannot be used any more")


def take_handle(place: int) -> _core.Handle:
    """What is pickled in the place of a handle."""
    if here.decoder is None:
        raise _core.FailedPreconditionError("handles are unpickled by those who got them only")
    return here.decoder.take(place)


def reduce_handle(handle: _core.Handle) -> Any:
    """What pickle makes of a handle; NotImplemented if nothing is being encoded in this thread."""
    if here.encoder is None:
        return NotImplemented
    return take_handle, (here.encoder.add_handle(handle),)
