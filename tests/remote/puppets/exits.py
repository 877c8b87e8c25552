"""Processes that end in various ways after they have written much."""

from __future__ import annotations

import os
import sys
import threading

from mojo_seq import Handle, MessagePipeHandle, create_message_pipe
from puppets.pipes import receive

COUNT = 1_000
NBYTES = 10 << 10


def payload(number: int) -> bytes:
    return number.to_bytes(8) * (NBYTES // 8)


def end(way: str) -> None:
    """Falls off the end, or leaves in another way."""
    match way:
        case "sys.exit(0)":
            sys.exit(0)
        case "sys.exit(3)":
            sys.exit(3)
        case "exception":
            raise ZeroDivisionError("on purpose")
        case "os._exit":
            os._exit(5)


def write_much(pipe: MessagePipeHandle, way: str, close: bool) -> None:
    """10 MiB, far more than the kernel takes, as soon as it is told to; then it ends."""
    assert receive(pipe) == b"go"
    for number in range(COUNT):
        pipe.write(payload(number))
    if close:
        pipe.close()
    end(way)


def write_much_in_a_thread(pipe: MessagePipeHandle) -> None:
    """A daemon thread has written it, and is still at it, with other pipes, when the main thread
    is through."""
    written = threading.Event()
    a, b = create_message_pipe()

    def body() -> None:
        for number in range(COUNT):
            pipe.write(payload(number))
        written.set()
        while True:
            a.write(b"x")
            b.read().close()

    threading.Thread(target=body, daemon=True).start()
    written.wait()


def write_pipes(pipe: MessagePipeHandle, count: int) -> None:
    """Each message has an end of a pipe, whose other end has something to say before it goes."""
    kept: list[Handle] = []
    for number in range(count):
        a, b = create_message_pipe()
        pipe.write(payload(number), [b])
        a.write(str(number).encode())
        kept.append(a)


def write_to_many(pipe: MessagePipeHandle, *others: MessagePipeHandle) -> None:
    for number in range(COUNT):
        for each in others:
            each.write(payload(number))


def write_and_stay_open(pipe: MessagePipeHandle, stuck: MessagePipeHandle, code: int) -> None:
    """For a reader that does not read."""
    for number in range(COUNT):
        stuck.write(payload(number))
    pipe.write(b"written")
    sys.exit(code)
