"""The far end of a connection, where there is no node."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from mojo_seq import MessagePipeHandle, _core, create_message_pipe
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.reply import Reply
from mojo_seq.process.object_codec import encode


class BlindLoop(asyncio.SelectorEventLoop):
    """Watches no descriptors for others."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError


class FarEnd:
    """Says what it is told to, at once or on a thread of its own."""

    def __init__(self, pipe: MessagePipeHandle) -> None:
        self.pipe = pipe

    def answer(self, ask: int, result: object) -> None:
        encode(result, wire.pack_suffix(wire.ANSWER, 0, ask)).write_to(self.pipe)

    def echo(self, asks: int) -> None:
        """Answers so many asks with their numbers."""
        left = asks
        while left:
            _core.wait(self.pipe, _core.Signals.READABLE)
            for message in self.pipe.read_batch():
                parts = wire.take_apart(message)
                assert parts is not None
                kind, _, number, _, _ = parts
                if kind == wire.ASK:
                    self.answer(number, number)
                    left -= 1


def connect() -> tuple[Connection, MessagePipeHandle]:
    """A connection, and its other end."""
    pipe, far = create_message_pipe()
    return Connection(os.urandom(16), pipe), far


def connect_apart() -> tuple[Connection, FarEnd]:
    """The same where each takes the other to be in another process."""
    sockets = socket.socketpair()
    pipe, far = (_core.adopt_socket(each.detach()) for each in sockets)
    return Connection(os.urandom(16), pipe), FarEnd(far)


def ask(connection: Connection, number: int) -> Reply[Any]:
    reply = Reply[Any]()
    connection.ask(reply, number, encode("ask", wire.pack_suffix(wire.ASK, 1, number)))
    return reply
