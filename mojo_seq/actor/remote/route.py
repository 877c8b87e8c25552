"""Route: the way of messages to an actor of another process."""

from __future__ import annotations

import threading
from collections import deque

from mojo_seq import _core
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.chains import client_id, path_here, path_of
from mojo_seq.actor.remote.connection import dead_error
from mojo_seq.actor.remote.pipe_reader import logger
from mojo_seq.process.object_codec import encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.actor.reasons import StopReason
    from mojo_seq.actor.remote.chains import _Path
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.remote.credits import Purse
    from mojo_seq.actor.remote.wire import _Sendable
    from mojo_seq.actor.reply import Reply

    _Waiting = tuple[_Sendable, int, Reply[Any] | None]

_LONGEST_SLEEP = 0.05  # seconds between two looks


class Route(_core.RouteBase):
    """Sends to where the actor is, once that is known. What is sent before that waits, in order.
    Any thread.

    Args:
        there: the number of the actor at the node that it is at: its own number if that is its
            home; if it was put in a worker process, the negative of that.
        box: (capacity, overflow) of its mailbox, if senders have to mind it.
        who: what errors call the actor.
        home: the id of its home.
    """

    def __init__(self, there: int, box: tuple[int, str] | None, who: str, home: bytes) -> None:
        super().__init__(there, box)
        self._home_id = home
        self._connection: Connection | None = None  # written under _lock
        self._who = who
        self._lock = threading.RLock()
        self._news = threading.Condition()  # the way has become known
        self._waiting: deque[_Waiting] = deque()  # _lock
        self._end: StopReason | None = None  # _lock

    def __repr__(self) -> str:
        return self._who

    def known_way(self) -> Connection | None:
        """The way, if somebody else has found it before."""
        return None

    def find_way(self) -> None:
        """Called without a lock when there is something to send and the way is not known. Then
        `lead_to` or `end` has to be called some time, by any thread."""
        raise NotImplementedError

    def on_unsent(self, method: str, args: tuple[Any, ...]) -> None:
        """A tell to an actor that has ended."""

    # Sending.

    def send_slowly(
        self,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        reply: Reply[Any] | None,
    ) -> None:
        if reply is None:
            ask = 0
            encoded = self._encode(wire.TELL, 0, method, args, kwargs, None)
        else:
            ask = _core.next_ask()
            encoded = self._encode(wire.ASK, ask, method, args, kwargs, path_here())
            reply.token = (client_id(), ask)
        connection = self._connection or self.known_way()
        if connection is None and self._is_crowded():
            if reply is not None and self._must_hold_back():
                encoded.discard()
                reply.hold_back(_core.make_envelope(method, args, kwargs, reply))
                return
            if not self._wait_for_room(reply):
                encoded.discard()
                return
            connection = self._connection
        if connection is None:
            connection = self._wait_for_way(encoded, ask, reply)
            if connection is None:
                if self._end is not None and reply is None:
                    self.on_unsent(method, args)
                return
        if self._box is not None:
            purse = connection.purse(self._there, self._box)
            if purse.is_empty():
                if reply is not None and purse.may_hold_back(connection):
                    encoded.discard()
                    reply.hold_back(_core.make_envelope(method, args, kwargs, reply))
                    return
                try:
                    paid = purse.wait(connection, self, reply)
                except BaseException:
                    encoded.discard()
                    raise
                if not paid:
                    encoded.discard()
                    return
            purse.left -= 1
        if not self._write(connection, encoded, ask, reply):
            self.on_unsent(method, args)

    def _encode(
        self,
        kind: int,
        ask: int,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        path: _Path | None,
    ) -> _Sendable:
        said = (method, args, kwargs, path)
        plain = _core.encode_plain(said, kind, self._there, ask)
        if plain is not None:
            return plain

        def parts() -> dict[str, object]:
            return {"args": args, "kwargs": kwargs}

        suffix = wire.pack_suffix(kind, self._there, ask)
        return encode(said, suffix, parts, known=self._home_id)  # wherever the actor is

    def _wait_for_way(
        self, encoded: _Sendable, ask: int, reply: Reply[Any] | None
    ) -> Connection | None:
        """The way is known after all; or None, and the message is taken care of."""
        with self._lock:
            connection, end = self._connection, self._end
            if connection is None and end is None:
                encoded.freeze()
                self._waiting.append((encoded, ask, reply))
        if connection is not None:
            return connection
        if end is None:
            self.find_way()
            return None
        encoded.discard()
        if reply is not None:
            reply.fail(dead_error(end, self))
        return None

    def _is_crowded(self) -> bool:
        """As much waits for the way to be known as the mailbox takes."""
        return self._box is not None and len(self._waiting) >= self._box[0]

    def _must_hold_back(self) -> bool:
        return self._box is not None and self._box[1] == "block" and not _core.may_wait_here()

    def _wait_for_room(self, reply: Reply[Any] | None) -> bool:
        """False: the reply has failed. Raises MailboxFullError for a tell."""
        if self._box is not None and self._box[1] == "block" and _core.may_wait_here():
            while self._is_crowded() and self._connection is None and self._end is None:
                with self._news:
                    self._news.wait(_LONGEST_SLEEP)
            return True
        error = _core.MailboxFullError(f"the mailbox of {self!r} is full")
        if reply is None:
            raise error
        reply.fail(error)
        return False

    def _write(
        self,
        connection: Connection,
        encoded: _Sendable,
        ask: int,
        reply: Reply[Any] | None,
    ) -> bool:
        """False: it was a tell, and nobody is there.

        The process may be gone, which nobody has noticed, and the actor elsewhere by now: then the
        message goes there, but only once.
        """
        if self._is_sent(connection, encoded, ask, reply, connection.ask):
            return True
        if self._there not in connection.ends:
            connection.notice_end()
            self.on_lost(connection)
            another = self._wait_for_way(encoded, ask, reply)
            if another is None:
                return reply is not None or self._end is None
            connection = another
            self._pay(connection)
            if self._is_sent(connection, encoded, ask, reply, connection.ask):
                return True
        self._give_up(connection, encoded, reply)
        return reply is not None

    def _is_sent(
        self,
        connection: Connection,
        encoded: _Sendable,
        ask: int,
        reply: Reply[Any] | None,
        send: Callable[[Reply[Any], int, _Sendable], bool],
    ) -> bool:
        """False: nothing was sent, for nobody is there.

        Args:
            send: `ask` of the connection, or with the lock held `begin_ask`.
        """
        if self._there in connection.ends:
            return False
        if reply is None:
            return connection.tell(encoded)
        return send(reply, ask, encoded)

    def _give_up(
        self, connection: Connection, encoded: _Sendable, reply: Reply[Any] | None
    ) -> None:
        """Nobody is there."""
        encoded.discard()
        if reply is not None:
            end = connection.ends.get(self._there) or connection.reason or connection.end_reason()
            reply.fail(dead_error(end, self))

    def _pay(self, connection: Connection) -> None:
        """For a message that has waited: into debt, if need be."""
        if self._box is not None:
            connection.purse(self._there, self._box).left -= 1

    def park(self, envelope: Any) -> None:
        """An ask that was held back is awaited: it is sent when there is room."""
        connection = self._connection
        purse: Purse | None = None
        if connection is not None and self._box is not None:
            purse = connection.purse(self._there, self._box)
        if purse is None or connection is None:
            self._send_held_back(envelope)
        else:
            purse.park(connection, lambda: self._send_held_back(envelope))

    def _send_held_back(self, envelope: Any) -> bool:
        """False: it is not sent."""
        reply = envelope.reply
        if reply.done():
            return False
        ask = _core.next_ask()
        reply.token = (client_id(), ask)
        try:
            encoded = self._encode(
                wire.ASK,
                ask,
                envelope.method,
                envelope.args,
                envelope.kwargs,
                path_of(envelope.chain),
            )
        except Exception as error:
            reply.fail(error)
            return False
        connection = self._connection or self._wait_for_way(encoded, ask, reply)
        if connection is not None:
            self._write(connection, encoded, ask, reply)
        return True

    # Where the actor is.

    def lead_to(self, connection: Connection) -> None:
        """The actor is there."""
        connection.add_route(self)
        unsent: list[tuple[_Waiting, Exception | None]] = []
        with self._lock:
            any_waited = bool(self._waiting)
            while self._waiting:
                message = self._waiting.popleft()
                self._pay(connection)
                try:
                    if not self._is_sent(connection, *message, connection.begin_ask):
                        unsent.append((message, None))
                except Exception as error:  # as a handle in it was closed meanwhile
                    unsent.append((message, error))
            self._connection = connection
        with self._news:
            self._news.notify_all()
        # With the lock nobody is told anything: he might send something, or just be about to tell
        # this route of the end.
        for (encoded, _, reply), why in unsent:
            if why is None:
                self._give_up(connection, encoded, reply)
            elif reply is not None:
                reply.fail(why)
            else:
                logger.error("a message for %s was dropped", self, exc_info=why)
        if unsent:
            connection.notice_end()
        if any_waited:
            connection.go_on()
        if connection.lost:
            self.on_lost(connection)

    def end(self, reason: StopReason) -> None:
        """The actor has ended for good."""
        with self._lock:
            self._end = reason
            self._connection = None
            waiting = self.take_waiting()
        with self._news:
            self._news.notify_all()
        for encoded, _, reply in waiting:
            encoded.discard()
            if reply is not None:
                reply.fail(dead_error(reason, self))

    def take_waiting(self) -> list[_Waiting]:
        """With the lock: what waits for the way to be known, to be dropped."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def drop(self, waiting: list[_Waiting], error: Exception) -> None:
        """The way cannot be found now. What is sent later asks for it anew."""
        with self._news:
            self._news.notify_all()
        for encoded, _, reply in waiting:
            encoded.discard()
            if reply is None:
                logger.error("a message for %s was dropped", self, exc_info=error)
            else:
                reply.fail(error)

    def command(self, kind: int) -> bool:
        """Sends STOP or KILL after what was sent so far. False: the way is not known."""
        connection = self._connection
        return connection is not None and connection.command(kind, self._there)

    def known_end(self) -> StopReason | None:
        """Why it has ended, as far as the way there knows."""
        connection = self._connection
        return self._end or (None if connection is None else connection.ends.get(self._there))

    def on_lost(self, connection: Connection) -> None:
        """The process that it was in is gone."""
        with self._lock:
            if self._connection is connection:
                self._connection = None
