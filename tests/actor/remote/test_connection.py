"""A connection whose other end goes away while it is used: nobody waits for what cannot come."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from strangers.fixtures import TIMEOUT

from mojo_seq import ActorDeadError, MessagePipeHandle, create_message_pipe
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.reply import Reply
from mojo_seq.process.object_codec import encode


@pytest.fixture
def ends() -> Iterator[tuple[Connection, MessagePipeHandle]]:
    """A connection, and the node's end of it."""
    pipe, far = create_message_pipe()
    connection = Connection(os.urandom(16), pipe)
    yield connection, far
    connection.close()
    far.close()


def test_an_ask_fails_if_the_end_was_noticed_just_before_it_is_written(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    far.close()
    connection.read()  # another thread, which closes the pipe
    reply = Reply[int]()
    connection.ask(reply, 1, encode("ask", wire.pack_suffix(wire.ASK, 1, 1)))
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
