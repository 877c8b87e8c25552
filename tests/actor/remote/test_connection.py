"""A connection whose other end goes away while it is used: nobody waits for what cannot come."""

from __future__ import annotations

from typing import Any

from mojo_seq import MessagePipeHandle, create_message_pipe
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.remote.description import Description
from mojo_seq.actor.remote.remote_target import RemoteTarget
from mojo_seq.actor.reply import Reply
from mojo_seq.process.object_codec import encode


def test_an_ask_that_is_written_when_the_end_was_noticed_is_taken_back(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    far.close()
    connection.read()  # another thread, which closes the pipe
    reply = Reply[int]()
    assert not connection.ask(reply, 1, encode("ask", wire.pack_suffix(wire.ASK, 1, 1)))
    assert reply.waiter is None
    assert not connection.must_watch()


def test_whoever_cares_just_when_the_pipe_is_closed_does_no_harm(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, _ = ends
    ends_told: list[Any] = []
    connection.observe(1, ends_told.append)
    connection.unwatch()
    connection.pipe.close()  # by another thread, which is about to tell
    connection.watch()
    connection.read()
    assert [each.kind for each in ends_told] == ["failed"]


def test_nobody_is_alive_where_nothing_comes_from_any_more(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, _ = ends
    who = Description((connection.node_id, 1), None, "nowhere", "Nobody", frozenset(), False, None)
    target = RemoteTarget(who, connection)
    assert target.is_alive
    connection.close()  # as its system does at its end
    assert not target.is_alive


class _Closing(Connection):
    """Its system ends while a message is handled here; and counts its losses."""

    losses = 0

    def on_other(self, *_: Any) -> None:
        self.close()

    def on_lost(self) -> None:
        self.losses += 1
        super().on_lost()


def test_being_closed_while_it_is_read_is_no_loss() -> None:
    """The reason of one would be asked for, and that takes as long as the process there lives."""
    pipe, far = create_message_pipe()
    connection = _Closing(b"somewhere", pipe)
    with far:
        far.write(wire.pack_suffix(wire.READY, 0, 0))
        assert not connection.read()
    assert connection.losses == 0


class _Asking(_Closing):
    """Handling a message makes it look for more."""

    def on_other(self, *_: Any) -> None:
        self.read()


def test_an_end_that_is_seen_while_a_message_is_handled_is_told_once() -> None:
    pipe, far = create_message_pipe()
    connection = _Asking(b"somewhere", pipe)
    with far:
        far.write(wire.pack_suffix(wire.READY, 0, 0))
    assert not connection.read()
    assert connection.losses == 1
    connection.close()


class _Forgetful(dict[int, Any]):
    """Another thread has just told all the observers, and still more come."""

    def setdefault(self, key: int, default: Any = None) -> Any:
        observers = super().setdefault(key, default)
        del self[key]
        return observers


def test_who_begins_to_observe_just_when_the_end_is_told_is_told_too(
    ends: tuple[Connection, MessagePipeHandle],
) -> None:
    connection, far = ends
    far.close()
    connection.read()
    connection._observers = _Forgetful()
    told: list[Any] = []
    connection.observe(1, told.append)
    assert [each.kind for each in told] == ["failed"]
