"""Messages that carry an object are serialized at the boundary, not before (system rules §3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from puppets import Puppet
from puppets.pipes import next_message, receive, receive_handle, receive_many

from mojo_seq import (
    FailedPreconditionError,
    Handle,
    Message,
    MessagePipe,
    MessagePipeHandle,
    NotFoundError,
    create_message_pipe,
    fuse_message_pipes,
)

MessagePipes = Callable[[], MessagePipe]


class Recorder:
    """A serializer that remembers whom it was called for."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def __call__(self, obj: Any) -> bytes:
        self.called.append(obj)
        return str(obj).encode()


@pytest.fixture
def serializer() -> Recorder:
    return Recorder()


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


# ---- written to a peer that is elsewhere


def test_serialized_when_written(child: Puppet, pipe: MessagePipe, serializer: Recorder) -> None:
    """System rules §3.2 (b): once, by the call that writes."""
    there = child.give(pipe.handle1)
    message = Message.from_object(["thing"], serializer)
    assert serializer.called == []
    pipe.handle0.write_message(message)
    assert serializer.called == [["thing"]]
    arrived = child.call(next_message, there)
    assert arrived.get("is_serialized") is True
    assert child.call(bytes, arrived) == b"['thing']"
    with pytest.raises(NotFoundError):
        arrived.get("context")


def test_handles_of_a_serializer_arrive(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: it returns a payload, or a payload and handles."""
    there = child.give(pipe.handle1)
    a, b = create_message_pipe()
    with a:
        pipe.handle0.write_message(Message.from_object(b, lambda end: (b"end", [end])))
        a.write(b"x")
        message = child.call(next_message, there)
        assert child.call(bytes, message) == b"end"
        (arrived,) = message.take_handles()
        assert child.call(receive, arrived) == b"x"


def test_without_a_serializer(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §3.2: FAILED_PRECONDITION; the message keeps its object."""
    child.give(pipe.handle1)
    thing = object()
    with Message.from_object(thing) as message:
        with pytest.raises(FailedPreconditionError):
            pipe.handle0.write_message(message)
        assert not message.is_serialized
        assert message.take_context() is thing


def test_a_serializer_that_raises(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §1: its exception is the caller's, and so is the message."""
    there = child.give(pipe.handle1)
    thing = object()

    def fail(_: object) -> bytes:
        raise ZeroDivisionError("on purpose")

    with Message.from_object(thing, fail) as message:
        with pytest.raises(ZeroDivisionError):
            pipe.handle0.write_message(message)
        assert message.context is thing
    pipe.handle0.write(b"next")
    assert child.call(receive, there) == b"next"


def test_a_serializer_that_writes_to_the_same_pipe(child: Puppet, pipe: MessagePipe) -> None:
    """No lock is held while it runs."""
    there = child.give(pipe.handle1)

    def chatty(_: object) -> bytes:
        pipe.handle0.write(b"before")
        return b"lazy"

    pipe.handle0.write_message(Message.from_object(object(), chatty))
    assert child.call(receive_many, there, 2) == [b"before", b"lazy"]


def test_a_large_object(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §3.2: whatever the size of what comes of it."""
    there = child.give(pipe.handle1)
    pipe.handle0.write_message(Message.from_object(1_000_000, bytes))
    assert child.call(receive, there) == bytes(1_000_000)


def test_a_received_object_is_passed_on(
    child: Puppet, message_pipes: MessagePipes, serializer: Recorder
) -> None:
    """System rules §4.3: local at first, then out of the process."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(d)
    a.write_message(Message.from_object("thing", serializer))
    message = b.read()
    assert message.context == "thing"
    c.write_message(message)
    assert serializer.called == ["thing"]
    assert child.call(receive, there) == b"thing"


# ---- unread in an end that leaves


def test_unread_when_the_end_leaves(child: Puppet, pipe: MessagePipe, serializer: Recorder) -> None:
    """System rules §3.2 (b): "or later", in order among others."""
    for number in range(5):
        pipe.handle0.write(f"plain {number}".encode())
        pipe.handle0.write_message(Message.from_object(f"lazy {number}", serializer))
    assert serializer.called == []
    there = child.give(pipe.handle1)
    assert serializer.called == [f"lazy {number}" for number in range(5)]
    expected = [f"{kind} {number}".encode() for number in range(5) for kind in ("plain", "lazy")]
    assert child.call(receive_many, there, 10) == expected


def test_unread_in_the_end_that_stays(
    child: Puppet, pipe: MessagePipe, serializer: Recorder
) -> None:
    """System rules §3.2: it does not cross, so it is the very object still."""
    thing = object()
    pipe.handle1.write_message(Message.from_object(thing, serializer))
    there = child.give(pipe.handle1)
    there.write(b"after")
    with pipe.handle0.read() as message:
        assert message.context is thing
    assert receive(pipe.handle0) == b"after"
    assert serializer.called == []


def test_unread_two_levels_down(
    child: Puppet, message_pipes: MessagePipes, serializer: Recorder
) -> None:
    """System rules §3.2: in a pipe whose end is in an unread message of the one that leaves."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write_message(Message.from_object("deep", serializer))
    c.write(b"", [b])
    assert serializer.called == []
    there = child.give(d)
    assert serializer.called == ["deep"]
    inner = child.call(receive_handle, there)
    assert child.call(receive, inner) == b"deep"
    a.write_message(Message.from_object("later", serializer))
    assert child.call(receive, inner) == b"later"


def test_unread_in_a_pipe_that_a_serializer_gives(
    child: Puppet, message_pipes: MessagePipes, serializer: Recorder
) -> None:
    """System rules §3.2: what serializing brings to light is serialized, too."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write_message(Message.from_object("deep", serializer))
    c.write_message(Message.from_object(b, lambda end: (b"outer", [end])))
    there = child.give(d)
    message = child.call(next_message, there)
    (inner,) = message.take_handles()
    assert child.call(receive, inner) == b"deep"


def test_written_to_an_end_in_transit(
    child: Puppet, message_pipes: MessagePipes, serializer: Recorder
) -> None:
    """System rules §3.2: the end is in a local queue still, and then that queue leaves."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    c.write(b"", [b])
    a.write_message(Message.from_object("caught up", serializer))
    there = child.give(d)
    inner = child.call(receive_handle, there)
    assert child.call(receive, inner) == b"caught up"
    assert serializer.called == ["caught up"]


def test_an_end_with_what_cannot_be_serialized_does_not_leave(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """Public contract §1: all is still here, and the object is the very one."""
    (a, b), (carrier, far) = message_pipes(), message_pipes()
    there = child.give(far)
    thing = object()
    a.write(b"first")
    a.write_message(Message.from_object(thing))
    with pytest.raises(FailedPreconditionError):
        carrier.write(b"x", [b])
    assert b.is_valid
    assert receive(b) == b"first"
    with b.read() as message:
        assert message.context is thing
    carrier.write(b"y", [b])  # now it can
    a.write(b"second")
    arrived = child.call(receive_handle, there)
    assert child.call(receive, arrived) == b"second"


def test_a_nest_with_what_cannot_be_serialized_does_not_leave(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """Public contract §1: two levels down, too; nothing of it was sent."""
    (a, b), (c, d), (carrier, far) = message_pipes(), message_pipes(), message_pipes()
    there = child.give(far)
    thing = object()
    a.write_message(Message.from_object(thing))
    c.write(b"outer", [b])
    with pytest.raises(FailedPreconditionError):
        carrier.write(b"x", [d])
    carrier.write(b"next")
    assert child.call(receive, there) == b"next"
    with d.read() as outer:
        (inner,) = outer.take_handles()
    with inner, inner.read() as message:  # type: ignore[attr-defined]
        assert message.context is thing


# ---- by fusing


def test_unread_when_its_end_is_fused_with_a_remote_pipe(
    child: Puppet, message_pipes: MessagePipes, serializer: Recorder
) -> None:
    """System rules §4.4, §3.2: what goes on to another process is serialized then."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(d)
    a.write_message(Message.from_object("fused", serializer))
    fuse_message_pipes(b, c)
    assert serializer.called == ["fused"]
    assert child.call(receive, there) == b"fused"
    there.write(b"back")
    assert receive(a) == b"back"


def test_a_fuse_that_cannot_serialize_fails(child: Puppet, message_pipes: MessagePipes) -> None:
    """Public contract §3: a failed fuse leaves both ends with the caller."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    there = child.give(d)
    thing = object()
    a.write_message(Message.from_object(thing))
    with pytest.raises(FailedPreconditionError):
        fuse_message_pipes(b, c)
    with b.read() as message:
        assert message.context is thing
    c.write(b"works")
    assert child.call(receive, there) == b"works"


def test_each_object_is_serialized_once(
    child: Puppet, message_pipes: MessagePipes, serializer: Recorder, closing: list[Handle]
) -> None:
    """System rules §3.2: and what has become bytes stays bytes when it comes home."""
    (a, b), (home, far) = message_pipes(), message_pipes()
    there = child.give(far)
    a.write_message(Message.from_object("thing", serializer))
    arrived = child.take(child.give(b))
    assert isinstance(arrived, MessagePipeHandle)
    closing.append(arrived)
    with next_message(arrived) as message:
        home.write_message(message)
    assert child.call(receive, there) == b"thing"
    assert serializer.called == ["thing"]
