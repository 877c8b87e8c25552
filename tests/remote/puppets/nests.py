"""Handles in messages in pipes in messages, and other heaps of handles."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    MessagePipeHandle,
    PlatformHandle,
    Signals,
    create_data_pipe,
    create_message_pipe,
    wrap_fd,
)
from puppets.pipes import next_message, receive, wait_for


def close_all(handles: Sequence[Handle]) -> None:
    for handle in handles:
        handle.close()


def receive_from_each(pipes: Sequence[MessagePipeHandle]) -> list[bytes]:
    return [receive(pipe) for pipe in pipes]


def nest(innermost: MessagePipeHandle, depth: int, nbytes: int = 0) -> MessagePipeHandle:
    """A pipe end that holds a message with a pipe end that holds a message … with that handle."""
    carried = innermost
    for level in range(depth):
        a, b = create_message_pipe()
        a.write(level.to_bytes(4) + bytes(nbytes), [carried])
        a.close()
        carried = b
    return carried


def unpack(outermost: MessagePipeHandle, depth: int) -> MessagePipeHandle:
    carried = outermost
    for level in reversed(range(depth)):
        with carried, next_message(carried) as message:
            assert message.payload[:4] == level.to_bytes(4)
            (inner,) = message.take_handles()
        assert isinstance(inner, MessagePipeHandle)
        carried = inner
    return carried


def six_handles() -> list[Handle]:
    """One pair of each kind that has two ends."""
    readable, writable = os.pipe()
    return [*create_message_pipe(), *create_data_pipe(16), wrap_fd(readable), wrap_fd(writable)]


def check_six(handles: Sequence[Handle]) -> None:
    """They are such, in that order, and belong together. The last two are used up."""
    a, b, producer, consumer, readable, writable = handles
    assert isinstance(a, MessagePipeHandle) and isinstance(b, MessagePipeHandle)
    a.write(b"there")
    b.write(b"back")
    assert (receive(b), receive(a)) == (b"there", b"back")
    assert isinstance(producer, DataPipeProducerHandle)
    assert isinstance(consumer, DataPipeConsumerHandle)
    producer.write(b"bytes")
    wait_for(consumer, Signals.READABLE)
    assert consumer.read() == b"bytes"
    assert isinstance(readable, PlatformHandle) and isinstance(writable, PlatformHandle)
    with os.fdopen(readable.unwrap(), "rb") as source:
        with os.fdopen(writable.unwrap(), "wb") as sink:
            sink.write(b"file")
        assert source.read() == b"file"
