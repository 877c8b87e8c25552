"""Connection: this process's way to a node, for all refs that lead there."""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from mojo_seq import _core
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.chains import client_id
from mojo_seq.actor.remote.credits import Purse
from mojo_seq.actor.remote.known_actors import KnownActors
from mojo_seq.actor.remote.pipe_reader import PipeReader
from mojo_seq.process.object_codec import decode_payload, encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.actor.remote.route import Route
    from mojo_seq.actor.remote.wire import _Sendable
    from mojo_seq.actor.reply import Reply
    from mojo_seq.system import MessagePipeHandle


_LONGEST_SLEEP = 0.05  # the leader may stop to lead without news


class Connection(PipeReader, _core.ConnectionBase):
    """A client's end of the pipe to a node. Any thread.

    Lives as long as refs, or replies that are still to come, hold it.

    Args:
        node_id: whose.
        pipe: belongs to the connection from now on.
    """

    def __init__(self, node_id: bytes, pipe: MessagePipeHandle) -> None:
        super().__init__(pipe)
        self.node_id = node_id
        self.reason: StopReason | None = None  # why nothing will come any more
        self.places: dict[int, bytes] = {}  # at which nodes actors of this one were, last time
        self._located: dict[int, Callable[[Any], None]] = {}
        self._observers: dict[int, dict[Callable[[StopReason], object], None]] = {}  # in order
        self._news = threading.Condition()
        self.shortage = threading.RLock()
        self.short = set[Purse]()  # shortage: all that hold something back, and some that did
        # One for all refs here to the same actor of the node, wherever it is: they share what waits
        # for the way to be known, and cost less.
        self.found: WeakValueDictionary[int, Route] = WeakValueDictionary()
        # Of actors that are where this leads, by id(). Not in a WeakSet: looking through that fails
        # when another thread adds to it.
        self._routes: WeakValueDictionary[int, Route] = WeakValueDictionary()
        self._actors = KnownActors(self.ends, (self._purses, self.places))
        self.write(encode(client_id(), wire.pack_suffix(wire.HELLO, 0, 0)))

    def needs_watch(self) -> bool:
        return (
            bool(self._pending or self._observers or self._located)
            or self._actors.may_have_ended()
            or self._has_held_back()
        )

    def _has_held_back(self) -> bool:
        if not self.short:
            return False
        with self.shortage:
            while self.short:
                purse = self.short.pop()
                if purse.has_held_back():
                    self.short.add(purse)
                    return True
        return False

    def must_watch(self) -> bool:
        return bool(self._pending or self._located or self._has_held_back())

    # Sending.

    def ask(self, reply: Reply[Any], ask: int, encoded: _Sendable) -> bool:
        """Sends an ask; what becomes of it is in the reply. False: nobody is there, and neither
        message nor reply is concerned.

        Raises:
            MojoError: the message cannot be sent; the reply is not concerned.
        """
        if not self.begin_ask(reply, ask, encoded):
            return False
        self.go_on()
        return True

    def begin_ask(self, reply: Reply[Any], ask: int, encoded: _Sendable) -> bool:
        """The same without `go_on`, which has to follow. Nobody is told anything yet, so that it
        can be called with a lock."""
        self._pending[ask] = reply
        reply.waiter = self
        try:
            sent = self.tell(encoded)
        except BaseException:
            self._pending.pop(ask, None)
            raise
        if not sent:
            if self._pending.pop(ask, None) is not None:
                reply.waiter = None
                return False
            encoded.discard()  # another thread noticed the end, and has failed this one, too
        return True

    def notice_end(self) -> None:
        """A write has found nobody there. If another thread is just reading, it sees that itself:
        it is not waited for, as it may want to write to a pipe that this one reads."""
        if self._reading.acquire(blocking=False):
            try:
                self.read()
            finally:
                self._reading.release()

    def tell(self, encoded: _Sendable) -> bool:
        """Sends what has no answer. False: nobody is there, and it can be sent elsewhere.

        Raises:
            MojoError: the message cannot be sent.
        """
        try:
            encoded.write_to(self.pipe)
        except _core.PeerClosedError:
            return False
        except BaseException:
            if self.lost:
                return False  # another thread noticed the end, and has closed the pipe
            encoded.discard()
            raise
        return True

    def write(self, encoded: _Sendable) -> bool:
        """The same; False: nobody is there, and it will not be sent."""
        if self.tell(encoded):
            return True
        encoded.discard()
        return False

    def command(self, kind: int, number: int, ask: int = 0) -> bool:
        """Sends a message that is nothing but its suffix. False: nobody is there."""
        try:
            self.pipe.write(wire.pack_suffix(kind, number, ask))
        except (_core.PeerClosedError, _core.InvalidArgumentError):
            return False
        return True

    def introduce(self) -> MessagePipeHandle:
        """A pipe to the node, for another process.

        Raises:
            ResourceExhaustedError: no descriptors for it.
        """
        near, far = _core.create_message_pipe()
        try:
            sent = self.write(encode(far, wire.pack_suffix(wire.INTRODUCE, 0, 0)))
        except _core.InvalidArgumentError:
            sent = False  # another thread noticed the end of the node, and is just closing ours
        except BaseException:
            near.close()
            far.close()
            raise
        if not sent:
            far.close()
        return near

    def purse(self, number: int, box: tuple[int, str]) -> Purse:
        """The credits for an actor with such a mailbox."""
        purse: Purse | None = self._purses.get(number)
        if purse is None:
            purse = self._purses.setdefault(number, Purse(number, box))
        return purse

    def add_route(self, route: Route) -> None:
        """Its actor is there: it is told when nothing will come any more, unless that is so
        already."""
        self._routes[id(route)] = route
        if route._there < 0:  # the node tells of its end when it hears from here
            self._actors.expect_end()
            self._hear_soon()

    def _led_to(self) -> set[int]:
        """The numbers of actors to which refs lead by this."""
        routes = [each() for each in self._routes.valuerefs()]
        found = [each() for each in self.found.valuerefs()]  # some are elsewhere now
        led_to = {each._there for each in routes if each is not None}
        return led_to | {abs(each._there) for each in found if each is not None}

    def locate(self, number: int, tell: Callable[[Any], None]) -> None:
        """Asks where an actor of the node really is; `tell` is called with the answer, or with the
        StopReason, on any thread."""
        ask = _core.next_ask()
        self._located[ask] = tell
        if not self.command(wire.LOCATE, number, ask):
            self.notice_end()
        if self.lost:
            self._fail_pending()
        self.watch()

    # Who waits.

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Blocks this thread until something that came in has made `done()` true, or nothing comes
        any more."""
        while not done() and not self.lost:
            self.lead(done, None)
            if not done() and not self.lost:
                self._sleep_while_led()

    def _sleep_while_led(self) -> None:
        """Another thread leads: it tells when something has come."""
        with self._news:
            self._followed = True
            self._news.wait(_LONGEST_SLEEP)

    def attend(self, loop: AbstractEventLoop | None = None) -> None:
        _core.note_wait()
        super().attend(loop)

    def care(self, number: int) -> None:
        """There is a ref to an actor here: its end is of interest."""
        if self._actors.care(number):
            self.command(wire.WATCH, number)
            self._hear_soon()

    def _hear_soon(self) -> None:
        """Ends are not waited for where nobody asks of them, but they are not left to pile up."""
        if self._actors.may_have_ended():
            self.watch_soon()

    def observe(self, number: int, tell: Callable[[StopReason], object]) -> None:
        """Calls `tell` once an actor has ended for good; at once if it is known to have."""
        observers = self._observers.setdefault(number, {})
        observers[tell] = None
        self.care(number)
        self.look()
        reason = self.ends.get(number) or self.reason
        if reason is not None:
            self._tell_end(number, reason)
            _tell_all(observers, reason)  # if another thread has just told all the others
        self.watch()

    def forget(self, number: int, tell: Callable[[StopReason], object]) -> None:
        """Takes `observe` back."""
        observers = self._observers.get(number)
        if observers is not None:
            observers.pop(tell, None)
            if not observers:
                self._observers.pop(number, None)

    def on_cancel(self, reply: Reply[Any]) -> None:
        """A reply was cancelled: its message is not to be handled, if there is still time."""
        if reply.token is not None:
            self.command(wire.CANCEL, 0, reply.token[1])

    def look(self) -> None:
        """Takes in what has come, if nobody else does."""
        if not self.lost:
            self.lead(_never, 0.0)

    # What comes.

    def on_parts(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        if kind == wire.ANSWER or kind == wire.FAILURE:
            self._settle(kind, ask, payload, handles)
        elif kind == wire.DOWN:
            self._tell_end(number, StopReason(*decode_payload(payload, handles)))
        elif kind == wire.CANCELLED:
            self._pending.pop(ask, None)
        elif kind == wire.CREDIT:
            purse = self._purses.get(number)
            if purse is not None:
                purse.give(self, ask)
                with self._news:
                    self._news.notify_all()
        elif kind == wire.LOCATED:
            tell = self._located.pop(ask, None)
            answer = decode_payload(payload, handles)
            if tell is not None:
                tell(answer)
        else:
            self.on_other(kind, number, ask, payload, handles)

    def _settle(self, kind: int, ask: int, payload: bytes | memoryview, handles: list[Any]) -> None:
        reply = self._pending.pop(ask, None)
        try:
            outcome = decode_payload(payload, handles)
        except Exception as error:
            kind, outcome = wire.FAILURE, error
        if reply is None:
            return
        reply.waiter = None
        if kind == wire.ANSWER:
            reply.succeed(outcome)
        else:
            reply.fail(outcome)

    def _tell_end(self, number: int, reason: StopReason) -> None:
        self._actors.note_end(number, reason, self._led_to)
        purse = self._purses.pop(number, None)
        if purse is not None:
            purse.give(self, 0)
        _tell_all(self._observers.pop(number, {}), reason)

    # The end.

    def part(self) -> None:
        """It is lost, and nobody need keep it."""

    def end_reason(self) -> StopReason:
        """Why the node is gone; may be told better by who knows the process."""
        error = _core.ActorDeadError("the process that the actor was in has ended")
        return StopReason("failed", error)

    def on_lost(self) -> None:
        if self.reason is None:
            self.reason = self.end_reason()
        self.pipe.close()
        self.part()
        for reference in self._routes.valuerefs():
            route = reference()
            if route is not None:
                route.on_lost(self)
        self._fail_pending()
        for number in [*self._observers, *self._purses]:
            self._tell_end(number, self.ends.get(number) or self.reason)
        with self._news:
            self._news.notify_all()

    def _fail_pending(self) -> None:
        reason = self.reason
        if reason is None:
            self.reason = reason = self.end_reason()
        while self._pending:
            try:
                _, reply = self._pending.popitem()
            except KeyError:
                break
            reply.waiter = None
            reply.fail(dead_error(reason, reply.target))
        while self._located:
            try:
                _, tell = self._located.popitem()
            except KeyError:
                break
            tell(reason)


def _tell_all(observers: dict[Callable[[StopReason], object], None], reason: StopReason) -> None:
    """Each of them once, whoever else does so."""
    while observers:
        for tell in list(observers):
            if observers.pop(tell, reason) is None:  # nobody else was faster
                tell(reason)


def _never() -> bool:
    return False


def dead_error(reason: StopReason, who: object) -> _core.ActorDeadError:
    """What an ask is told whose actor has ended."""
    if isinstance(reason.error, _core.ActorDeadError):
        return _core.ActorDeadError(f"{who} has ended: {reason.error}")
    made = _core.ActorDeadError(f"{who} has ended: {reason.kind}")
    made.__cause__ = reason.error
    return made
