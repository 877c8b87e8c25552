"""Objects in messages: pickled, with their large buffers in the same payload and their handles
beside it.

A payload is a pickle, or, if there are buffers, a header, the pickle, and the buffers, each at a
multiple of 64 bytes: they are copied once, into the message, and are used there by the receiver.
Whatever the sender likes may follow as a suffix, to be read before (or instead of) the object.
"""

from __future__ import annotations

import struct
from pickle import dumps, loads

from mojo_seq import _core
from mojo_seq.process import main_module
from mojo_seq.process.encoding import Decoder, Encoder, here
from mojo_seq.process.pickling_errors import check_main, explain

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROTOCOL = 5
_ALIGNMENT = 64
_HEADER = struct.Struct("<BxxxIQ")  # the mark, how many buffers there are, the pickle's size
_SIZE = struct.Struct("<Q")  # one for each buffer
_WITH_BUFFERS = 0x01  # the first byte; that of a pickle is 0x80
# Smaller payloads are copied, so that their arrays do not keep the message, and can be written to.
_LARGE = 65536


class Encoded:
    """An encoded object, which can be written to one pipe. Its buffers are still the object's: it
    has to be written, or frozen, before anybody changes them. Any thread, one at a time."""

    __slots__ = ("_encoder", "_payload", "_pickled", "_suffix")

    def __init__(self, pickled: bytes, suffix: bytes, encoder: Encoder) -> None:
        self._pickled = pickled
        self._suffix = suffix
        self._encoder = encoder
        self._payload: bytes | bytearray | _core.Message | None = None

    @property
    def handles(self) -> list[_core.Handle]:
        """The handles in the object; they move when it is written."""
        return self._encoder.handles

    def write_to(self, pipe: _core.MessagePipeHandle) -> None:
        """Raises what `MessagePipeHandle.write` does; then it can be written again."""
        encoder = self._encoder
        if not encoder.buffers and self._payload is None:
            pipe.write(self._pickled + self._suffix, encoder.handles or ())
            return
        payload = self.freeze()
        if isinstance(payload, _core.Message):
            pipe.write_message(payload)
        else:
            pipe.write(payload, encoder.handles)

    def freeze(self) -> bytes | bytearray | _core.Message:
        """Copies the buffers. What happens to the object is of no importance from now on."""
        if self._payload is None:
            plain = self._pickled + self._suffix
            self._payload = self._lay_out() if self._encoder.buffers else plain
            self._encoder.buffers = []
        return self._payload

    def discard(self) -> None:
        """It will not be written; handles in the object stay where they are."""
        self._encoder.discard()

    def abandon(self) -> None:
        """It will not be written, and nobody else has the handles in the object."""
        for each in self.handles:
            each.close()

    def _lay_out(self) -> bytearray | _core.Message:
        sizes = [each.nbytes for each in self._encoder.buffers]
        start = _HEADER.size + _SIZE.size * len(sizes)
        end = start + len(self._pickled)
        total = end
        for size in sizes:
            total = _aligned(total) + size
        total += len(self._suffix)
        # A message that could not be written would not give its handles back.
        made = bytearray(total) if self.handles else _core.Message.allocate(total, zeroed=False)
        with memoryview(made) if isinstance(made, bytearray) else made.payload as target:
            _HEADER.pack_into(target, 0, _WITH_BUFFERS, len(sizes), len(self._pickled))
            for number, size in enumerate(sizes):
                _SIZE.pack_into(target, _HEADER.size + _SIZE.size * number, size)
            target[start:end] = self._pickled
            for each in self._encoder.buffers:
                end = _aligned(end)
                target[end : end + each.nbytes] = each
                end += each.nbytes
            target[end:] = self._suffix
        return made


def _aligned(offset: int) -> int:
    return (offset + _ALIGNMENT - 1) & -_ALIGNMENT


def encode(
    obj: object,
    suffix: bytes = b"",
    parts: Callable[[], dict[str, object]] | None = None,
) -> Encoded:
    """Pickles; nothing happens yet to the handles in the object.

    Args:
        obj: anything that can be pickled, with handles at any depth.
        suffix: goes to the end of the payload.
        parts: what an error speaks of: names, and what they stand for.

    Raises:
        Whatever the pickling raises, with a note that gives the path of the offending object.
        InvalidArgumentError: a handle in it is closed or sent, or is a Watcher.
    """
    outer = here.encoder
    encoder = here.encoder = Encoder()
    try:
        pickled = dumps(obj, PROTOCOL, buffer_callback=encoder.take_buffer)
        if not main_module.is_importable():
            check_main(obj, pickled)
    except BaseException as error:
        encoder.discard()
        if isinstance(error, Exception):
            explain(error, {"object": obj} if parts is None else parts())
        raise
    finally:
        here.encoder = outer
    return Encoded(pickled, suffix, encoder)


def decode(message: _core.Message) -> Any:
    """The object; uses the message up.

    Arrays and other large buffers in it are views of the payload, which lives as long as one of
    them, and can be written to: the memory is the receiver's.

    Raises:
        Whatever the unpickling raises; the handles that came are closed then.
    """
    handles = message.take_handles()
    return decode_payload(take_payload(message), handles)


def take_payload(message: _core.Message) -> bytes | memoryview:
    """The payload, for `decode_payload`; its last bytes are the suffix."""
    if len(message) >= _LARGE:
        return message.take_payload() if hasattr(message, "take_payload") else message.payload
    payload = bytes(message)
    return payload if payload[:1] != b"\x01" else memoryview(bytearray(payload))


def decode_payload(payload: bytes | memoryview, handles: list[_core.Handle]) -> Any:
    """`decode` for those who have looked at the suffix. The handles are those of the message."""
    if not handles and type(payload) is bytes:
        return loads(payload)
    outer = here.decoder
    decoder = here.decoder = Decoder(handles)
    failed = True
    try:
        if payload[0] == _WITH_BUFFERS:
            pickled, buffers = _split(memoryview(payload))
            obj = loads(pickled, buffers=buffers)
        else:
            obj = loads(payload)
        failed = False
        return obj
    finally:
        here.decoder = outer
        decoder.close_rest(failed)


def _split(payload: memoryview) -> tuple[memoryview, list[memoryview]]:
    try:
        mark, count, pickle_size = _HEADER.unpack_from(payload)
        if mark != _WITH_BUFFERS or count * _SIZE.size > len(payload):
            raise _core.DataLossError("the message is no encoded object")
        sizes = struct.unpack_from(f"<{count}Q", payload, _HEADER.size)
    except struct.error as error:
        raise _core.DataLossError("the message is no encoded object") from error
    start = _HEADER.size + _SIZE.size * count
    end = start + pickle_size
    buffers = []
    offset = end
    for size in sizes:
        offset = _aligned(offset)
        buffers.append(payload[offset : offset + size])
        offset += size
    if offset > len(payload):
        raise _core.DataLossError("the message is shorter than it says")
    return payload[start:end], buffers


_core.set_plain_pickling(dumps)
