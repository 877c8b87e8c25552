"""Fusing two message pipes into one: a-b and c-d become a-d (system rules §4.4)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Signals,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    fuse_message_pipes,
    wrap_fd,
)

MessagePipes = Callable[[], MessagePipe]


def drain(end: MessagePipeHandle) -> list[bytes]:
    """Everything readable now."""
    return [bytes(message) for message in end.read_batch(1_000)]


def connected(one: MessagePipeHandle, other: MessagePipeHandle) -> bool:
    """Whether the two ends talk to each other, both ways."""
    one.write(b"ping")
    other.write(b"pong")
    return drain(other) == [b"ping"] and drain(one) == [b"pong"]


# ---- what fusing does


def test_fused_pipes_are_one_pipe(message_pipes: MessagePipes) -> None:
    """System rules §4.4: the outer ends talk to each other."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    fuse_message_pipes(b, c)
    assert connected(a, d)


def test_fusing_consumes_both_ends(message_pipes: MessagePipes) -> None:
    """System rules §4.4: on success both handles are gone."""
    (_, b), (c, _) = message_pipes(), message_pipes()
    fuse_message_pipes(b, c)
    assert (b.value, c.value) == (0, 0)
    with pytest.raises(InvalidArgumentError):
        b.read()
    with pytest.raises(InvalidArgumentError):
        c.write(b"x")


def test_queued_messages_go_to_the_far_ends_in_order(message_pipes: MessagePipes) -> None:
    """System rules §4.4: b's queue to d, c's queue to a; later ones come after."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write_batch([b"a1", b"a2"])
    d.write_batch([b"d1", b"d2"])
    fuse_message_pipes(b, c)
    a.write(b"a3")
    d.write(b"d3")
    assert drain(d) == [b"a1", b"a2", b"a3"]
    assert drain(a) == [b"d1", b"d2", b"d3"]


def test_queued_handles_and_objects_survive(message_pipes: MessagePipes) -> None:
    """System rules §4.4: whole messages move, not their bytes."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    thing = object()
    a.write(b"", [f])
    a.write_message(Message.from_object(thing))
    fuse_message_pipes(b, c)
    with d.read() as first, d.read() as second:
        (handle,) = first.handles
        assert isinstance(handle, MessagePipeHandle)
        assert connected(handle, e)
        assert second.context is thing


def test_fusing_makes_the_far_end_readable(message_pipes: MessagePipes) -> None:
    """System rules §4.4 and §8.1: signals follow the moved messages."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write(b"x")
    assert not d.query_signals_state().readable
    fuse_message_pipes(b, c)
    assert d.query_signals_state().satisfied == Signals.READABLE | Signals.WRITABLE
    assert a.query_signals_state().satisfied == Signals.WRITABLE


def test_ends_that_only_read_may_be_fused(message_pipes: MessagePipes) -> None:
    """System rules §4.4: reads done earlier do not matter."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write_batch([b"read", b"left"])
    b.read().close()
    fuse_message_pipes(b, c)
    assert drain(d) == [b"left"]
    assert connected(a, d)


@pytest.mark.parametrize("queued", [0, 3])
def test_peer_closed_before_fusion_is_seen_after_its_messages(
    message_pipes: MessagePipes, queued: int
) -> None:
    """System rules §4.4."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    a.write_batch([b"x"] * queued)
    a.close()
    fuse_message_pipes(b, c)
    assert d.query_signals_state().peer_closed
    assert [bytes(d.read()) for _ in range(queued)] == [b"x"] * queued
    with pytest.raises(PeerClosedError):
        d.read()
    with pytest.raises(PeerClosedError):
        d.write(b"x")


def test_fusing_when_both_peers_are_closed(message_pipes: MessagePipes) -> None:
    """System rules §4.4: nothing is left, nothing leaks (the fixture counts)."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    a.write(b"", [e])
    a.close()
    d.close()
    fuse_message_pipes(b, c)
    assert not b.is_valid
    assert f.query_signals_state().peer_closed


def test_chain_of_fusions(message_pipes: MessagePipes) -> None:
    """System rules §4.4: a fused pipe is an ordinary pipe; order is kept through all of them."""
    pipes = [message_pipes() for _ in range(50)]
    first, last = pipes[0].handle0, pipes[-1].handle1
    first.write(b"1")
    for left, right in zip(pipes[::2], pipes[1::2], strict=True):
        fuse_message_pipes(left.handle1, right.handle0)
    first.write(b"2")
    for left, right in zip(pipes[1:-1:2], pipes[2::2], strict=True):
        fuse_message_pipes(left.handle1, right.handle0)
    first.write(b"3")
    assert drain(last) == [b"1", b"2", b"3"]
    assert connected(first, last)


def test_fusing_ends_that_were_received(message_pipes: MessagePipes) -> None:
    """System rules §4.4 and §4.5."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    a.write(b"early")
    e.write(b"", [b, c])
    with f.read() as message:
        left, right = message.handles
        assert isinstance(left, MessagePipeHandle)
        assert isinstance(right, MessagePipeHandle)
        fuse_message_pipes(left, right)
    assert drain(d) == [b"early"]
    assert connected(a, d)


def test_fusing_while_the_far_end_is_in_transit(message_pipes: MessagePipes) -> None:
    """System rules §4.4: the far end need not be in anybody's hands."""
    (a, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    e.write(b"", [d])
    a.write(b"x")
    fuse_message_pipes(b, c)
    with f.read() as message:
        (far,) = message.handles
        assert isinstance(far, MessagePipeHandle)
        assert drain(far) == [b"x"]
        assert connected(a, far)


# ---- what cannot be fused; both ends stay with the caller


def others() -> list[list[Handle]]:
    return [
        list(create_data_pipe(4)),
        list(reversed(create_data_pipe(4))),
        [create_shared_buffer(1)],
        [wrap_fd(os.open("/dev/null", os.O_RDONLY))],
    ]


def test_fusing_the_two_ends_of_one_pipe_fails(pipe: MessagePipe) -> None:
    """System rules §4.4: FAILED_PRECONDITION; both live on (public contract §3)."""
    with pytest.raises(FailedPreconditionError):
        fuse_message_pipes(pipe.handle0, pipe.handle1)
    assert connected(pipe.handle0, pipe.handle1)


def test_fusing_a_handle_with_itself_is_invalid(pipe: MessagePipe) -> None:
    """System rules §4.4."""
    with pytest.raises(InvalidArgumentError):
        fuse_message_pipes(pipe.handle0, pipe.handle0)
    assert connected(pipe.handle0, pipe.handle1)


@pytest.mark.parametrize("swap", [False, True])
def test_fusing_an_end_ever_written_to_fails(message_pipes: MessagePipes, swap: bool) -> None:
    """System rules §4.4: also when all that was written has been read."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    b.write(b"x")
    assert drain(a) == [b"x"]
    with pytest.raises(FailedPreconditionError) as caught:
        fuse_message_pipes(*((c, b) if swap else (b, c)))
    assert not isinstance(caught.value, PeerClosedError)
    assert connected(a, b)
    assert connected(c, d)


def test_having_been_written_to_travels_with_the_end(message_pipes: MessagePipes) -> None:
    """System rules §4.4: ever, by whomever."""
    (_, b), (c, d), (e, f) = message_pipes(), message_pipes(), message_pipes()
    b.write(b"x")
    e.write(b"", [b])
    with f.read() as message:
        (moved,) = message.handles
        assert isinstance(moved, MessagePipeHandle)
        with pytest.raises(FailedPreconditionError):
            fuse_message_pipes(moved, c)
        assert moved.is_valid
    assert connected(c, d)


def test_failed_write_does_not_count_as_written(message_pipes: MessagePipes) -> None:
    """System rules §4.4: nothing went into the pipe."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    wrong: Any = "text"
    with pytest.raises(TypeError):
        b.write(wrong)
    with pytest.raises(InvalidArgumentError):
        b.write(b"", [a])
    fuse_message_pipes(b, c)
    assert connected(a, d)


@pytest.mark.parametrize("swap", [False, True])
def test_fusing_a_closed_end_is_invalid(message_pipes: MessagePipes, swap: bool) -> None:
    """System rules §4.4; the live one stays with the caller (public contract §3)."""
    (_, b), (c, d) = message_pipes(), message_pipes()
    b.close()
    with pytest.raises(InvalidArgumentError):
        fuse_message_pipes(*((c, b) if swap else (b, c)))
    assert connected(c, d)


def test_fusing_an_attached_end_is_invalid(message_pipes: MessagePipes) -> None:
    """System rules §3: what a message holds is not the caller's to use."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    with Message(b"", [b]) as message:
        with pytest.raises(InvalidArgumentError):
            fuse_message_pipes(b, c)
        (back,) = message.take_handles()
    assert isinstance(back, MessagePipeHandle)
    with back:
        assert connected(a, back)
    assert connected(c, d)


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("swap", [False, True])
def test_fusing_another_kind_of_handle_is_invalid(
    pipe: MessagePipe, closing: list[Handle], index: int, swap: bool
) -> None:
    """Public contract §3: a live handle of another kind is INVALID_ARGUMENT, not a TypeError."""
    for group in others():
        closing.extend(group)
    other: Any = [group for group in closing if not isinstance(group, MessagePipeHandle)][index]
    with pytest.raises(InvalidArgumentError):
        fuse_message_pipes(*((other, pipe.handle0) if swap else (pipe.handle0, other)))
    assert other.is_valid
    assert connected(pipe.handle0, pipe.handle1)


@pytest.mark.parametrize("wrong", [None, 5, "pipe"], ids=repr)
def test_fusing_something_else_is_a_type_error(pipe: MessagePipe, wrong: Any) -> None:
    """Public contract §1."""
    with pytest.raises(TypeError):
        fuse_message_pipes(pipe.handle0, wrong)
    with pytest.raises(TypeError):
        fuse_message_pipes(wrong, pipe.handle0)
    assert connected(pipe.handle0, pipe.handle1)


def test_fusing_must_not_put_a_pipe_inside_itself(message_pipes: MessagePipes) -> None:
    """A pipe never travels inside itself: here d would end up in its own queue, for good."""
    a, b = message_pipes()
    c, d = create_message_pipe()
    a.write(b"", [d])
    with pytest.raises(InvalidArgumentError):
        fuse_message_pipes(b, c)
    with c, b.read() as message:
        (back,) = message.handles
        assert isinstance(back, MessagePipeHandle)
        assert connected(c, back)
