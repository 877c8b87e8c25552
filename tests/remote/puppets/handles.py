"""Handles of every kind, in pairs of which one travels, and what can be done with both."""

from __future__ import annotations

import os

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    MessagePipeHandle,
    PlatformHandle,
    SharedBufferHandle,
    Signals,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    wrap_fd,
)
from puppets.pipes import receive, wait_for

# Who can be given something to be found at the other: the one that travels, the one that stays.
TRAVELLER, OTHER = 0, 1
DIRECTIONS = {
    "message pipe": [TRAVELLER, OTHER],
    "producer": [TRAVELLER],
    "consumer": [OTHER],
    "shared buffer": [TRAVELLER, OTHER],
    "read-only buffer": [OTHER],
    "readable file": [OTHER],
    "writable file": [TRAVELLER],
}


def make(kind: str) -> tuple[Handle, Handle]:
    """One to travel, and another that has to do with it."""
    match kind:
        case "message pipe":
            return create_message_pipe()
        case "producer":
            return create_data_pipe(37)
        case "consumer":
            return create_data_pipe(37)[::-1]
        case "shared buffer":
            buffer = create_shared_buffer(37)
            return buffer, buffer.duplicate()
        case "read-only buffer":
            buffer = create_shared_buffer(37)
            return buffer.duplicate(read_only=True), buffer
        case "readable file":
            readable, writable = os.pipe()
            return wrap_fd(readable), wrap_fd(writable)
        case "writable file":
            readable, writable = os.pipe()
            return wrap_fd(writable), wrap_fd(readable)
    raise ValueError(kind)


def put(handle: Handle, data: bytes) -> None:
    """Writes to what the handle stands for."""
    match handle:
        case MessagePipeHandle():
            handle.write(data)
        case DataPipeProducerHandle():
            assert handle.write(data) == len(data)
        case SharedBufferHandle():
            with handle.map() as mapping, memoryview(mapping) as view:
                view[: len(data)] = data
        case PlatformHandle():
            with os.fdopen(handle.unwrap(), "wb") as file:
                file.write(data)
        case _:
            raise TypeError(type(handle))


def get(handle: Handle, nbytes: int) -> bytes:
    """Reads what was put in at the other."""
    match handle:
        case MessagePipeHandle():
            return receive(handle)
        case DataPipeConsumerHandle():
            wait_for(handle, Signals.READABLE)
            return handle.read(nbytes, all_or_none=True)
        case SharedBufferHandle():
            with handle.map() as mapping:
                return bytes(mapping)[:nbytes]
        case PlatformHandle():
            with os.fdopen(handle.unwrap(), "rb") as file:
                return file.read()
    raise TypeError(type(handle))
