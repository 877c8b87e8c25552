"""Route: the way to an actor that was put in a worker process, and may come to be in another."""

from __future__ import annotations

import threading
from collections import deque

from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.chains import next_ask, tokens_here
from mojo_seq.actor.remote.connection import dead_error
from mojo_seq.process.object_codec import encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.reasons import StopReason
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.reply import Reply
    from mojo_seq.process.object_codec import Encoded


class Route:
    """Sends to where the actor is. What is sent while that is not known waits, in order. Any thread.

    Args:
        number: the actor's, at its home.
    """

    def __init__(self, number: int) -> None:
        self._there = -number  # the number of what is hosted at its node
        self._lock = threading.RLock()
        self._connection: Connection | None = None  # written under _lock
        self._waiting: deque[tuple[Encoded, int, Reply[Any] | None]] = deque()  # _lock
        self._end: StopReason | None = None  # _lock

    def find_way(self) -> None:
        """Called without a lock when there is something to send and the way is not known. Then
        `lead_to` or `end` has to be called some time, by any thread."""
        raise NotImplementedError

    def on_unsent(self, method: str, args: tuple[Any, ...]) -> None:
        """A tell to an actor that has ended."""

    def send(
        self,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        reply: Reply[Any] | None,
    ) -> None:
        """See RemoteTarget."""

        def parts() -> dict[str, object]:
            return {"args": args, "kwargs": kwargs}

        if reply is None:
            kind, ask, tokens = wire.TELL, 0, None
        else:
            kind, ask, tokens = wire.ASK, next_ask(), tokens_here()
        suffix = wire.pack_suffix(kind, self._there, ask)
        encoded = encode((method, args, kwargs, tokens), suffix, parts)
        connection = self._connection
        if connection is None:
            with self._lock:
                connection = self._connection
                if connection is None and self._end is None:
                    encoded.freeze()
                    self._waiting.append((encoded, ask, reply))
            if connection is None:
                end = self._end
                if end is None:
                    self.find_way()
                    return
                encoded.discard()
                if reply is None:
                    self.on_unsent(method, args)
                else:
                    reply.fail(dead_error(end))
                return
        self._write(connection, encoded, ask, reply)

    def _write(
        self, connection: Connection, encoded: Encoded, ask: int, reply: Reply[Any] | None
    ) -> None:
        if reply is None:
            connection.write(encoded)
            return
        ended = connection.ends.get(self._there)
        if ended is not None:
            encoded.discard()
            reply.fail(dead_error(ended))
        else:
            connection.ask(reply, ask, encoded)

    def lead_to(self, connection: Connection) -> None:
        """The actor is there."""
        connection.routes.add(self)
        with self._lock:
            while self._waiting:
                self._write(connection, *self._waiting.popleft())
            self._connection = connection
        if connection.lost:
            self.on_lost(connection)

    def end(self, reason: StopReason) -> None:
        """The actor has ended for good."""
        with self._lock:
            self._end = reason
            self._connection = None
            waiting = list(self._waiting)
            self._waiting.clear()
        for encoded, _, reply in waiting:
            encoded.discard()
            if reply is not None:
                reply.fail(dead_error(reason))

    def on_lost(self, connection: Connection) -> None:
        """The process that it was in is gone."""
        with self._lock:
            if self._connection is connection:
                self._connection = None
