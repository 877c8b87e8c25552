"""Messages of numbers, text and bytes only take a shorter way; nobody can tell by what arrives."""

from __future__ import annotations

import enum
import threading
from typing import Any

import pytest

from mojo_seq import InvalidArgumentError, Message, MessagePipeHandle, _core, create_message_pipe
from mojo_seq.actor.remote import wire
from mojo_seq.process.object_codec import decode_payload, encode


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


PLAIN: list[object] = [
    None,
    ("ping", (b"x" * 64,), None, None),
    ("put", (1, -(2**100), 2.5, True, "ü\udc80"), {"key": [1, (b"",)]}, {(b"id", 1): None}),
    [],
]
LOOP: list[Any] = []
LOOP.append(LOOP)
FOR_OTHERS: list[object] = [
    Colour.RED,
    Text("x"),
    bytearray(4096),
    [memoryview],
    {1, 2},
    (1, (2, (3, (4, (5, (6,)))))),
    LOOP,
    [0] * 1000,
    b"x" * 100_000,
    ["x" * 40_000, "y" * 40_000],
]


def sent(message: Any) -> Message:
    """As it arrives."""
    near, far = create_message_pipe()
    with near, far:
        message.write_to(near)
        return far.read()


@pytest.mark.parametrize("obj", PLAIN, ids=repr)
def test_it_arrives_as_any_other_does(obj: object) -> None:
    plain = _core.encode_plain(obj, wire.ASK, -5, 2**40)
    assert plain is not None
    assert plain.freeze() == encode(obj, wire.pack_suffix(wire.ASK, -5, 2**40)).freeze()
    assert plain.handles == []
    for take in (_core.take_plain, wire.take_apart):
        parts = take(sent(plain))
        assert parts is not None
        assert parts[:3] == (wire.ASK, -5, 2**40) and parts[4] == []
        assert decode_payload(parts[3], parts[4]) == obj


@pytest.mark.parametrize("obj", FOR_OTHERS, ids=lambda obj: type(obj).__name__)
def test_what_is_for_others(obj: object) -> None:
    assert _core.encode_plain(obj, wire.TELL, 1, 0) is None


def test_handles_are_for_others() -> None:
    near, far = create_message_pipe()
    with far:
        assert _core.encode_plain((near,), wire.TELL, 1, 0) is None
        message = sent(encode(near, wire.pack_suffix(wire.TELL, 1, 0)))
        assert _core.take_plain(message) is None
        parts = wire.take_apart(message)
        assert parts is not None and parts[:3] == (wire.TELL, 1, 0)
        assert isinstance(parts[4][0], MessagePipeHandle)
        parts[4][0].close()


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x80" * 17, b"\x01" * 100])
def test_messages_that_make_no_sense(payload: bytes) -> None:
    assert _core.take_plain(Message(payload)) is None


def test_an_object_that_was_not_serialized_is_for_others() -> None:
    assert _core.take_plain(Message.from_object([])) is None


def test_a_message_that_was_written_is_refused() -> None:
    near, far = create_message_pipe()
    with near, far:
        message = Message(b"x")
        near.write_message(message)
        with pytest.raises(InvalidArgumentError):
            _core.take_plain(message)


def test_waiting_for_one() -> None:
    near, far = create_message_pipe()
    with near:
        with far:
            assert not _core.wait_until_readable(near, 0)
            assert not _core.wait_until_readable(near, 0.001)
            thread = threading.Thread(target=far.write)
            thread.start()
            assert _core.wait_until_readable(near)
            thread.join()
            near.read()
        assert _core.wait_until_readable(near)  # never again
    with pytest.raises(InvalidArgumentError):
        _core.wait_until_readable(near, 0)


def test_waiting_for_several() -> None:
    pipes = [create_message_pipe() for _ in range(3)]
    near, far = [each[0] for each in pipes], [each[1] for each in pipes]
    far[1].write()
    assert _core.wait_for_readable(near) == [1]
    far[2].close()
    assert _core.wait_for_readable(near) == [1, 2]
    near[1].read()
    near[2].close()
    with pytest.raises(InvalidArgumentError):
        _core.wait_for_readable(near)
    thread = threading.Thread(target=far[0].write)
    thread.start()
    assert _core.wait_for_readable(near[:2]) == [0]
    thread.join()
    for each in (*near, *far):
        each.close()
