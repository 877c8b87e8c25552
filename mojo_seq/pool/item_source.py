"""What runs in the worker for `stream`: a generator, whose items are sent as they are made."""

from __future__ import annotations

import struct

from mojo_seq import _core
from mojo_seq.process.object_codec import encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

CREDITS = struct.Struct("<I")
"""What the consumer sends: for so many items more there is room."""
END = 0xFFFFFFFF
"""Instead of a number: the pool is being shut down."""


class ItemSource:
    """A call of a generator function, in the worker: it sends what the generator yields, as long
    as the consumer has room for it.

    An item is only made when there is room. When the consumer has closed its end, so is the
    generator: at its next item, or at once if it waits for room.

    Args:
        fn: the function.
        room: for how many items there is room at first.

    Attributes:
        __wrapped__: the function; what errors speak of.
    """

    __slots__ = ("__wrapped__", "_room")

    def __init__(self, fn: Callable[..., Any], room: int) -> None:
        self.__wrapped__ = fn
        self._room = room

    def __call__(self, pipe: _core.MessagePipeHandle, /, *args: Any, **kwargs: Any) -> Any:
        """
        Args:
            pipe: takes the items; brings credits.
            args, kwargs: of the generator.

        Returns:
            What the generator has returned.

        Raises:
            Whatever the generator raises, or the pickling of an item.
            TypeError: the function returns nothing that can be iterated over.
            ShutdownError: the consumer has sent END; the generator was closed.
        """
        with pipe:
            outlet = _Outlet(pipe, self._room)
            items: Iterator[Any] = iter(())
            try:
                outlet.await_room()
                items = iter(self.__wrapped__(*args, **kwargs))
                while True:
                    outlet.await_room()
                    try:
                        item = next(items)
                    except StopIteration as end:
                        return end.value
                    outlet.send(item)
            except _ConsumerGone:
                _close(items)
                return None
            except BaseException:
                _close(items)  # of a generator that has raised it is closed already
                raise

    def __reduce__(self) -> tuple[Any, ...]:
        return ItemSource, (self.__wrapped__, self._room)


class _ConsumerGone(Exception):
    """Nobody wants more items."""


class _Outlet:
    def __init__(self, pipe: _core.MessagePipeHandle, room: int) -> None:
        self._pipe = pipe
        self._room = room

    def await_room(self) -> None:
        """Also looks whether the consumer is there, so that one item at most is made in vain."""
        try:
            self._take_credits()
            while self._room == 0:
                _core.wait(self._pipe, _core.Signals.READABLE)
                self._take_credits()
        except _core.PeerClosedError:
            raise _ConsumerGone from None

    def send(self, item: Any) -> None:
        encoded = encode(item, parts=lambda: {"item": item}, read_only=True)
        try:
            encoded.write_to(self._pipe)
        except _core.PeerClosedError:
            encoded.discard()
            raise _ConsumerGone from None
        self._room -= 1

    def _take_credits(self) -> None:
        for message in self._pipe.read_batch():
            with message:
                (count,) = CREDITS.unpack(message.payload)
            if count == END:
                raise _core.ShutdownError("the pool was shut down")
            self._room += count


def _close(items: Iterator[Any]) -> None:
    """What it does about its end is no concern of the consumer's, who may be gone."""
    close = getattr(items, "close", None)
    if close is None:
        return
    try:
        close()
    except Exception:
        import logging  # hardly ever needed

        logging.getLogger("mojo_seq").exception("a stream failed while it was closed")
