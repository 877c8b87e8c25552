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


class Encoder:
    """What one object leaves beside its pickle; of one thread.

    Args:
        trial: nothing is to be sent: it is only tried what can be encoded.
    """

    __slots__ = ("_once", "buffers", "handles", "made", "trial")

    def __init__(self, trial: bool = False) -> None:
        self.handles: list[_core.Handle] = []
        self.made: list[_core.Handle] = []  # those of them that nobody else knows
        self.buffers: list[memoryview] = []
        self.trial = trial
        self._once: dict[Hashable, int] | None = None

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

    def add_once(self, key: Hashable, make: Callable[[], _core.Handle]) -> int:
        """The same for a handle that `make` makes, the first time that this is called with `key`;
        the handle is the encoder's."""
        once = self._once = {} if self._once is None else self._once
        place = once.get(key)
        if place is None:
            handle = make()
            self.made.append(handle)
            place = once[key] = self.add_handle(handle)
        return place

    def take_buffer(self, buffer: Any) -> bool:
        """For pickle: True if the buffer (a PickleBuffer) is to be in the pickle."""
        raw: memoryview = buffer.raw()
        if raw.nbytes < SMALLEST_BUFFER:
            return True
        self.buffers.append(raw)
        return False

    def discard(self) -> None:
        """It will not be sent."""
        for each in self.made:
            each.close()

    def __del__(self) -> None:
        self.discard()  # what was not sent and is forgotten; what was sent is closed already


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
