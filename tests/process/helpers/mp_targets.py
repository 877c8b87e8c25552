"""What the tests run in processes of multiprocessing."""

from __future__ import annotations

import os
import sys
from typing import Any

from mojo_seq import (
    FailedPreconditionError,
    MessagePipeHandle,
    NamedChannel,
    Signals,
    _core,
    wait,
)


def use(pipe: MessagePipeHandle, *args: Any, **kwargs: Any) -> None:
    """Sends back what it got; handles in it are used."""
    for handle in args:
        if isinstance(handle, MessagePipeHandle):
            handle.write(b"used")
            handle.close()
    sizes = [len(each) for each in args if isinstance(each, bytes)]
    pipe.write(repr((sizes, kwargs)).encode())
    pipe.close()


def compare(pipe: MessagePipeHandle, nested: list[MessagePipeHandle]) -> None:
    pipe.write(repr(nested[0] is pipe).encode())
    pipe.close()


def take_all_kinds(pipe: MessagePipeHandle, parcel: dict[str, Any]) -> None:
    with parcel["consumer"] as consumer, parcel["buffer"] as buffer, buffer.map() as mapping:
        wait(consumer, Signals.READABLE)
        data = consumer.read()
        memoryview(mapping)[: len(data)] = data
    fd = parcel["file"].unwrap()
    pipe.write(os.read(fd, 100))
    os.close(fd)
    pipe.close()


def try_inherited(pipe: MessagePipeHandle) -> None:
    """In a forked process, where it is dead."""
    try:
        pipe.write(b"never")
    except FailedPreconditionError as error:
        sys.exit(40 + ("fork" in str(error)))


def write_much(pipe: MessagePipeHandle, count: int) -> None:
    """More than the kernel takes, and nothing closes the pipe."""
    for number in range(count):
        pipe.write(b"%d" % number + bytes(10_000))


def connect_and_write_much(path: str, count: int) -> None:
    """The same in a process that got no handle."""
    with NamedChannel.connect(path, 30) as endpoint:
        write_much(_core.adopt_socket(endpoint._take()), count)
