"""Objects in messages: pickled, with their large buffers in the same payload and their handles
beside it.

A payload is a pickle, or, if there are buffers, what `buffer_layout` says. Whatever the sender
likes may follow as a suffix, to be read before (or instead of) the object.
"""

from __future__ import annotations

from pickle import dumps, loads

from mojo_seq import _core
from mojo_seq.process import main_module
from mojo_seq.process.buffer_layout import WITH_BUFFERS, Layout, split
from mojo_seq.process.encoding import Decoder, Encoder, OutOfBand, here
from mojo_seq.process.pickling_errors import check_main, explain

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pickle import Pickler
    from typing import Any, TypeAlias

    # The payload, how much of it, and what has to be put into it again: the bytes, and where.
    _Kept: TypeAlias = tuple[_core.Segment | bytes, int, list[tuple[memoryview, int]]]

PROTOCOL = 5
# Smaller payloads are copied, so that their arrays do not keep the message, and can be written to.
_LARGE = 65536
# Larger ones are split: their large buffers go in memory of their own, for a message has a limit.
_HUGE = 128 << 20
_LARGE_BUFFER = 1 << 20


class Encoded:
    """An encoded object, which can be written to one pipe, or with `keep` to several. Its buffers
    are still the object's: it has to be written, or frozen, before anybody changes them. Any
    thread, one at a time."""

    __slots__ = ("_encoder", "_kept", "_message", "_pickled", "_segments", "_suffix", "keep")

    def __init__(self, pickled: bytes, suffix: bytes, encoder: Encoder) -> None:
        self._pickled = pickled
        self._suffix = suffix
        self._encoder = encoder
        self._message: _core.Message | None = None  # laid out, not yet written
        self._kept: _Kept | None = None  # what was laid out
        self._segments: list[_core.Segment] = []  # that it refers to, once it is laid out
        # It may be written again, as it was the first time. Not if there are handles in it. What
        # those who got it could write to is taken again from where it was.
        self.keep = False

    @property
    def handles(self) -> list[_core.Handle]:
        """The handles in the object; they move when it is written."""
        return self._encoder.handles

    @property
    def plain(self) -> bytes | None:
        """All of it, if that is nothing but a few bytes; None if there is more to be sent."""
        encoder = self._encoder
        if encoder.buffers or encoder.handles or self._kept or len(self._pickled) >= _LARGE:
            return None
        return self._pickled + self._suffix

    def write_to(self, pipe: _core.MessagePipeHandle) -> None:
        """Raises what `MessagePipeHandle.write` does, and ResourceExhaustedError if it exceeds the
        memory budget; then it can be written again."""
        encoder = self._encoder
        if not encoder.buffers and self._message is None and self._kept is None:
            if len(self._pickled) < _LARGE:
                pipe.write(self._pickled + self._suffix, encoder.handles or ())
                return
            message = self._plain_message(pipe)
        else:
            message = self._next_message(pipe)
        handles = [each.to_handle() for each in self._segments]
        try:
            pipe.write_message(message, [*encoder.handles, *handles])
        except BaseException:
            for each in handles:
                each.close()
            raise
        self._message = None
        encoder.sent()
        if not self.keep:
            self._segments = []

    def prepare(self, pipe: _core.MessagePipeHandle) -> None:
        """Copies what is large, so that writing it to this pipe takes but a moment. Writing it to
        another one may copy it again. Raises ResourceExhaustedError as `write_to` does."""
        if self._message is None:
            if self._encoder.buffers or self._kept is not None:
                self._message = self._next_message(pipe)
            elif len(self._pickled) >= _LARGE:
                self._message = self._plain_message(pipe)

    def freeze(self) -> bytes | _core.Message:
        """Copies the buffers. What happens to the object is of no importance from now on."""
        if self._message is None:
            if not self._encoder.buffers:
                return self._pickled + self._suffix
            self._message = self._lay_out(None)
        return self._message

    def discard(self) -> None:
        """It will not be written (again); handles in the object stay where they are."""
        self._encoder.discard()
        self._kept = None
        self._message = None
        self._segments = []

    def abandon(self) -> None:
        """It will not be written, and nobody else has the handles in the object."""
        for each in self.handles:
            each.close()
        self.discard()

    def _plain_message(self, pipe: _core.MessagePipeHandle) -> _core.Message:
        size = len(self._pickled)
        message = _core.Message.allocate(size + len(self._suffix), zeroed=False, receiver=pipe)
        with message.payload as target:
            _core.copy_bytes(target[:size], self._pickled)
            target[size:] = self._suffix
        return message

    def _next_message(self, pipe: _core.MessagePipeHandle) -> _core.Message:
        if self._message is not None:
            return self._message
        if self._kept is None:
            self._message = self._lay_out(pipe)
            return self._message
        source, size, given = self._kept
        message = _core.Message.allocate(size, zeroed=False, receiver=pipe)
        with message.payload as target:
            _core.copy_bytes(target, memoryview(source)[:size])
            for raw, offset in given:
                target[offset : offset + raw.nbytes] = raw
        return message

    def _lay_out(self, receiver: _core.MessagePipeHandle | None) -> _core.Message:
        encoder = self._encoder
        layout = Layout(self._pickled, self._suffix, encoder.buffers, encoder.read_only)
        if layout.nbytes > _HUGE:
            self._move_out(receiver)
            layout = Layout(self._pickled, self._suffix, encoder.buffers, encoder.read_only)
        places: dict[int, int] = {}

        def place_of(segment: _core.Segment) -> int:
            place = places.get(segment.key)
            if place is None:
                place = places[segment.key] = len(encoder.handles) + len(self._segments)
                self._segments.append(segment)
            return place

        message = _core.Message.allocate(layout.nbytes, zeroed=False, receiver=receiver)
        with message.payload as target:
            layout.fill(target, place_of)
            found = _core.find_segment(target) if self.keep else None
        if self.keep:
            source = bytes(message) if found is None else found[0]
            self._kept = source, layout.nbytes, layout.writable()
        encoder.buffers = []
        return message

    def _move_out(self, receiver: _core.MessagePipeHandle | None) -> None:
        parts = self._encoder.buffers
        for number, part in enumerate(parts):
            if part.segment is not None or part.raw.nbytes < _LARGE_BUFFER:
                continue
            nbytes = part.raw.nbytes
            segment = _core.allocate_segment(nbytes, zeroed=False, shared=False, receiver=receiver)
            _core.copy_bytes(memoryview(segment)[:nbytes], part.raw)
            writable = part.writable or not self._encoder.read_only
            if not writable:
                segment.freeze()
            parts[number] = OutOfBand(memoryview(segment)[:nbytes], segment, 0, writable)


def encode(
    obj: object,
    suffix: bytes = b"",
    parts: Callable[[], dict[str, object]] | None = None,
    *,
    pickler: type[Pickler] | None = None,
    read_only: bool = False,
    known: Hashable = None,
) -> Encoded:
    """Pickles; nothing happens yet to the handles in the object.

    Args:
        obj: anything that can be pickled, with handles at any depth.
        suffix: goes to the end of the payload.
        parts: what an error speaks of: names, and what they stand for.
        pickler: what pickles, if it is not pickle's own.
        read_only: who receives it cannot write to its arrays, unless they are shared or given away.
        known: a key of `Encoder.add_once`: who receives it has got that handle before.

    Raises:
        Whatever the pickling raises, with a note that gives the path of the offending object.
        InvalidArgumentError: a handle in it is closed or sent, or is a Watcher.
    """
    outer = here.encoder
    encoder = here.encoder = Encoder(read_only=read_only, known=known)
    try:
        if pickler is None and not _core.shared_segment_count():
            pickled = dumps(obj, PROTOCOL, buffer_callback=encoder.take_buffer)
        else:
            from mojo_seq.process.sharing_pickler import dumps_with

            pickled = dumps_with(pickler, obj, PROTOCOL, encoder.take_buffer)
        if pickler is None and not main_module.is_importable():
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
    them. They can be written to, for the memory is the receiver's, unless the sender has said
    `read_only`. Shared arrays are views of the memory that the sender's are views of.

    Raises:
        Whatever the unpickling raises; the handles that came are closed then.
    """
    return decode_payload(*take_apart(message))


def take_payload(message: _core.Message) -> bytes | memoryview:
    """The payload, for `decode_payload`; its last bytes are the suffix."""
    if len(message) >= _LARGE:
        return message.take_payload()
    payload = bytes(message)
    return payload if payload[:1] != b"\x01" else memoryview(bytearray(payload))


def take_apart(message: _core.Message) -> tuple[bytes | memoryview, list[_core.Handle]]:
    """Payload and handles, for `decode_payload`; uses the message up."""
    handles = message.take_handles()
    return take_payload(message), handles


def decode_payload(payload: bytes | memoryview, handles: list[_core.Handle]) -> Any:
    """`decode` for those who have looked at the suffix. The handles are those of the message."""
    if not handles and type(payload) is bytes:
        return loads(payload)
    outer = here.decoder
    decoder = here.decoder = Decoder(handles)
    failed = True
    try:
        if payload[0] == WITH_BUFFERS:
            pickled, buffers = split(memoryview(payload), decoder.segment)
            obj = loads(pickled, buffers=buffers)
        else:
            obj = loads(payload)
        failed = False
        return obj
    finally:
        here.decoder = outer
        decoder.close_rest(failed)


_core.set_plain_pickling(dumps)
_core.set_plain_unpickling(loads)
