"""Messages that carry a Python object, serialized only if they must be (system rules §3.2)."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mojo_seq import (
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    NotFoundError,
    PeerClosedError,
)

MessagePipes = Callable[[], MessagePipe]


class Thing:
    """An object that can be watched dying."""

    def __init__(self, handle: Handle | None = None) -> None:
        self.handle = handle


def forbidden(_: object) -> bytes:
    raise AssertionError("in one process nothing is ever serialized")


# ---- delivery


def test_the_very_object_arrives(pipe: MessagePipe) -> None:
    """Public contract §3: `received.context is sent_object`."""
    thing = Thing()
    pipe.handle0.write_message(Message.from_object(thing, forbidden))
    with pipe.handle1.read() as received:
        assert not received.is_serialized
        assert received.context is thing


def test_the_serializer_is_not_called_on_a_longer_way(message_pipes: MessagePipes) -> None:
    """System rules §3.2: nor when the endpoint that holds the message moves, or is fused."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    thing = Thing()
    a.write_message(Message.from_object(thing, forbidden))
    c.write(b"", [b])
    (moved,) = d.read().take_handles()
    assert isinstance(moved, MessagePipeHandle)
    with moved, moved.read() as first:
        e.write_message(first)
    with f.read() as second:
        assert second.context is thing


def test_handles_inside_the_object_are_untouched(message_pipes: MessagePipes) -> None:
    """System rules §3.2: they are attributes of an object, not attachments."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    value = d.value
    a.write_message(Message.from_object(Thing(d)))
    with b.read() as received:
        assert received.context.handle is d
    assert d.value == value
    c.write(b"x")
    assert bytes(d.read()) == b"x"


@pytest.mark.parametrize("thing", [None, 0, "", (), [1], int, print], ids=repr)
def test_any_object_can_be_a_context(pipe: MessagePipe, thing: object) -> None:
    """Public contract §3: `obj` has no bounds; None is an object too."""
    pipe.handle0.write_message(Message.from_object(thing))
    with pipe.handle1.read() as received:
        assert received.context is thing


# ---- what an unserialized message refuses

OPERATIONS: dict[str, Callable[[Message], object]] = {
    "payload": lambda m: m.payload,
    "len": len,
    "bytes": bytes,
    "extend": lambda m: m.extend(1),
    "take_handles": lambda m: m.take_handles(),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_unserialized_message_has_no_contents(operation: Callable[[Message], object]) -> None:
    """System rules §3.1: FAILED_PRECONDITION, and the message is untouched."""
    thing = Thing()
    with Message.from_object(thing, lambda _: b"") as message:
        with pytest.raises(FailedPreconditionError):
            operation(message)
        assert message.context is thing


def test_unserialized_message_is_true() -> None:
    """Public contract §3: although `len` of it raises."""
    with Message.from_object(Thing()) as message:
        assert message


def test_serialized_message_has_no_context() -> None:
    """Public contract §3."""
    with Message(b"x") as message:
        with pytest.raises(NotFoundError):
            _ = message.context
        with pytest.raises(NotFoundError):
            message.take_context()


def test_serializer_must_be_callable() -> None:
    """Public contract §1: found out at once, not when it is too late."""
    wrong: Any = b"not callable"
    with pytest.raises(TypeError):
        Message.from_object(Thing(), wrong)


# ---- taking the context


def test_take_context_moves_the_object_out() -> None:
    """System rules §3: the context is released to the caller."""
    thing = Thing()
    with Message.from_object(thing) as message:
        assert message.take_context() is thing
        with pytest.raises(NotFoundError):
            _ = message.context
        with pytest.raises(NotFoundError):
            message.take_context()


def test_taken_context_is_not_kept_by_the_message() -> None:
    """System rules §3."""
    thing = Thing()
    dead = weakref.ref(thing)
    with Message.from_object(thing) as message:
        message.take_context()
        del thing
        gc.collect()
        assert dead() is None


def test_message_without_contents_cannot_be_written(pipe: MessagePipe) -> None:
    """System rules §4.2: NOT_FOUND for an empty message."""
    with Message.from_object(Thing()) as message:
        message.take_context()
        with pytest.raises(NotFoundError):
            pipe.handle0.write_message(message)
    assert not pipe.handle1.query_signals_state().readable


# ---- forced serialization


def test_serialize_turns_the_object_into_a_payload(pipe: MessagePipe) -> None:
    """Public contract §3."""
    message = Message.from_object({"n": 7}, lambda obj: f"n={obj['n']}".encode())
    assert not message.is_serialized
    message.serialize()
    assert message.is_serialized
    pipe.handle0.write_message(message)
    with pipe.handle1.read() as received:
        assert bytes(received) == b"n=7"
        with pytest.raises(NotFoundError):
            _ = received.context


def test_serialize_attaches_handles(message_pipes: MessagePipes) -> None:
    """Public contract §3: the serializer may return a pair."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    message = Message.from_object(d, lambda handle: (b"with", [handle]))
    message.serialize()
    assert not d.is_valid
    a.write_message(message)
    with b.read() as received:
        (handle,) = received.take_handles()
        assert isinstance(handle, MessagePipeHandle)
        with handle:
            handle.write(b"x")
            assert bytes(c.read()) == b"x"


def test_receiver_may_serialize(pipe: MessagePipe) -> None:
    """System rules §3.2: forced by whoever holds the message."""
    pipe.handle0.write_message(Message.from_object("abc", str.encode))
    with pipe.handle1.read() as received:
        received.serialize()
        assert bytes(received) == b"abc"


def test_serialize_releases_the_object() -> None:
    """System rules §3: order is serializer, then the context's end."""
    thing = Thing()
    dead = weakref.ref(thing)
    with Message.from_object(thing, lambda _: b"x") as message:
        del thing
        message.serialize()
        gc.collect()
        assert dead() is None


@pytest.mark.parametrize("received", [False, True])
def test_serializing_twice_is_a_failed_precondition(pipe: MessagePipe, received: bool) -> None:
    """System rules §3: also after a trip over a pipe."""
    message = Message.from_object(1, lambda _: b"x")
    message.serialize()
    if received:
        pipe.handle0.write_message(message)
        message = pipe.handle1.read()
    with message, pytest.raises(FailedPreconditionError):
        message.serialize()


def test_serialize_without_serializer_keeps_the_context() -> None:
    """Public contract §3: NotFoundError, context kept."""
    thing = Thing()
    with Message.from_object(thing) as message:
        with pytest.raises(NotFoundError):
            message.serialize()
        assert message.context is thing


def bad_serializers() -> Iterator[tuple[type[Exception], Callable[[Any], Any]]]:
    def raises(_: object) -> bytes:
        raise ZeroDivisionError

    yield ZeroDivisionError, raises
    yield TypeError, lambda _: "text"
    yield TypeError, lambda _: None
    yield TypeError, lambda _: (b"", 5)
    yield TypeError, lambda _: (b"", [object()])
    yield InvalidArgumentError, lambda thing: (b"", [thing.handle])


@pytest.mark.parametrize(("error", "serializer"), list(bad_serializers()))
def test_failing_serializer_loses_nothing(
    message_pipes: MessagePipes, error: type[Exception], serializer: Callable[[Any], Any]
) -> None:
    """Public contract §1: its exception comes out, the object stays in the message."""
    _, closed = message_pipes()
    closed.close()
    thing = Thing(closed)
    with Message.from_object(thing, serializer) as message:
        with pytest.raises(error):
            message.serialize()
        assert not message.is_serialized
        assert message.context is thing


def test_failing_serializer_keeps_its_handles(message_pipes: MessagePipes) -> None:
    """Public contract §1: one bad handle, and none of the batch is taken."""
    (a, b), (_, closed) = message_pipes(), message_pipes()
    closed.close()
    message = Message.from_object(1, lambda _: (b"", [b, closed]))
    with message, pytest.raises(InvalidArgumentError):
        message.serialize()
    a.write(b"alive")
    assert bytes(b.read()) == b"alive"


# ---- life


def test_closing_a_message_releases_the_object() -> None:
    """System rules §3: the context's end runs with the message's."""
    thing = Thing()
    dead = weakref.ref(thing)
    message = Message.from_object(thing)
    del thing
    message.close()
    gc.collect()
    assert dead() is None


@pytest.mark.parametrize("which", ["reader", "writer then reader"])
def test_closing_a_pipe_releases_unread_objects(pipe: MessagePipe, which: str) -> None:
    """System rules §2: unread messages are destroyed, their contexts with them."""
    thing = Thing()
    dead = weakref.ref(thing)
    pipe.handle0.write_message(Message.from_object(thing))
    del thing
    if which != "reader":
        pipe.handle0.close()
        gc.collect()
        assert dead() is not None
    pipe.handle1.close()
    gc.collect()
    assert dead() is None


def test_failed_write_keeps_the_object(pipe: MessagePipe) -> None:
    """Public contract §1: nothing is lost on failure."""
    thing = Thing()
    pipe.handle1.close()
    with Message.from_object(thing) as message:
        with pytest.raises(PeerClosedError):
            pipe.handle0.write_message(message)
        assert message.context is thing
