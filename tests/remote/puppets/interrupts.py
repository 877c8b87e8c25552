"""What a Ctrl-C ends in children."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from mojo_seq import (
    MessagePipeHandle,
    Signals,
    WaitSet,
    aio,
    create_message_pipe,
    wait,
    wait_many,
)

R = Signals.READABLE


def _wait_many(pipe: MessagePipeHandle) -> None:
    a, b = create_message_pipe()
    with a, b:
        wait_many([(a, R), (pipe, R)])


def _wait_set(pipe: MessagePipeHandle) -> None:
    waits = WaitSet()
    waits.add_handle(pipe, R)
    waits.wait()


async def _receive(pipe: MessagePipeHandle) -> None:
    await pipe.receive()


async def _wait(pipe: MessagePipeHandle) -> None:
    await aio.wait(pipe, R)


CALLS: dict[str, Callable[[MessagePipeHandle], object]] = {
    "wait": lambda pipe: wait(pipe, R),
    "wait with a timeout": lambda pipe: wait(pipe, R, 3_600),
    "wait_many": _wait_many,
    "WaitSet": _wait_set,
    "receive": lambda pipe: asyncio.run(_receive(pipe)),
    "aio.wait": lambda pipe: asyncio.run(_wait(pipe)),
}


def wait_until_interrupted(pipe: MessagePipeHandle, name: str) -> str:
    """Says that it is going to wait, and waits for ever."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    try:
        pipe.write(b"waiting")
        CALLS[name](pipe)
    except KeyboardInterrupt:
        return "interrupted"
    return "not interrupted"
