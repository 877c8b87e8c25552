"""Accepted: a node's end of a connection."""

from __future__ import annotations

from collections import deque

from mojo_seq import _core
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import dead_error
from mojo_seq.actor.remote.hosted_reply import HostedReply
from mojo_seq.actor.remote.pipe_reader import PipeReader, logger
from mojo_seq.process.object_codec import decode_payload, encode
from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.reasons import StopReason
    from mojo_seq.actor.remote.node import Node
    from mojo_seq.system import MessagePipeHandle

_MOST_TOLD = 1024


class Accepted(PipeReader, _core.AcceptedBase):
    """Takes what one client process says, and answers. Any thread.

    Args:
        pipe: belongs to it from now on.
    """

    def __init__(self, node: Node, pipe: MessagePipeHandle) -> None:
        super().__init__(pipe, node.system._cells, node.hosted, node.books)
        self.node = node
        self.served = False  # the node's thread waits on the pipe; it says when
        # The last of those in _known that have ended: somebody who goes on writing to one is not
        # told each time.
        self._told = deque[int]()

    def needs_watch(self) -> bool:
        return not self.served

    def on_parts(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        if kind == wire.ASK or kind == wire.TELL:
            self._call_slowly(kind, number, ask, payload, handles)
        elif kind == wire.STOP or kind == wire.KILL:
            cell = self._find_here(number)
            if cell is not None:
                cell.stop() if kind == wire.STOP else cell.kill()
                self.node.release_senders(number)
        elif kind == wire.EXTEND:
            asked = self._asks.get(ask)
            if asked is not None:
                asked.extend(decode_payload(payload, handles))
        elif kind == wire.LINKED:
            cell = self.node.find(number)
            if cell is not None:
                cell.stop_linked(decode_payload(payload, handles))
        elif kind == wire.CANCEL:
            reply = self._asks.pop(ask, None)
            if reply is not None:
                reply.cancel()
            self.send_object(None, wire.CANCELLED, number, ask)
        elif kind == wire.INTRODUCE:
            self.node.accept(decode_payload(payload, handles))
        elif kind == wire.LOCATE:
            self._locate(number, ask)
        elif kind == wire.WATCH:
            if self.node.find(number) is None:
                self._known.pop(number, None)  # it was told, and has been forgotten there
            self._watch_end(number)
        elif kind == wire.HELLO:
            self.client = decode_payload(payload, handles)
        else:
            self.on_other(kind, number, ask, payload, handles)

    def _call_slowly(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        cell = self._find_here(number)
        reply: HostedReply | None = None
        if kind == wire.ASK:
            reply = self._asks[ask] = HostedReply(self, ask, cell)
        try:
            method, args, kwargs, path = decode_payload(payload, handles)
        except Exception as error:
            self._refuse(number, reply, error)
            return
        if number not in self._known:
            self._watch_end(number)
        if cell is None:
            if reply is not None:
                reply.fail(dead_error(self.node.reason_of(number), f"actor {abs(number)}"))
            return
        chain = None
        if reply is not None and path is not None:
            reply.path, chain = self.read_path(path)
        book = self.node.credit_book(number, cell)
        if book is not None:
            book.note(self)
        cell.receive(method, args, kwargs, reply, chain)
        if reply is not None and not reply.done():
            reply.extend(None)
        if book is not None and reply is not None and reply.done():
            book.on_taken()  # perhaps it was refused, and never was in the mailbox

    def _find_here(self, number: int) -> Any:
        """The cell of an actor, which may just have been put here: whoever says so says it by
        another pipe."""
        cell = self.node.find(number)
        if cell is None and number < 0 and self.node.home is not None:
            self.node.home.read()
            cell = self.node.find(number)
        return cell

    def give_credit(self, number: int, count: int) -> None:
        """So many messages have left a mailbox; on any thread."""
        if not self.lost:
            try:
                self.pipe.write(wire.pack_suffix(wire.CREDIT, number, count))
            except (_core.PeerClosedError, _core.InvalidArgumentError):
                return  # which will be noticed

    def _refuse(self, number: int, reply: HostedReply | None, error: Exception) -> None:
        """The message cannot be made here."""
        error.add_note("The message could not be decoded in the process of the actor.")
        if reply is not None:
            reply.fail(error)
            return
        logger.error("a message for actor %d could not be decoded", number, exc_info=error)

    def _locate(self, number: int, ask: int) -> None:
        cell = self.node.find(number)
        if cell is None:
            end = portable(self.node.reason_of(number))
            self.send_object((0, end), wire.LOCATED, number, ask)
        elif number < 0:
            self.send_object((wire.SPAWN, None), wire.LOCATED, number, ask)
        else:
            cell.locate(lambda place: self._tell_place(place, number, ask))

    def _tell_place(self, place: Any, number: int, ask: int) -> None:
        """Whoever has asked waits for it: if the pipe in it cannot be sent, that is the answer."""
        kind, what = place
        try:
            self.send_object(place, wire.LOCATED, number, ask)
        except _core.MojoError as error:
            if kind == wire.HELLO:
                what[1].close()
            self.send_object((wire.FAILURE, Failure(error)), wire.LOCATED, number, ask)

    # What the client is told.

    def answer_slowly(self, reply: HostedReply) -> None:
        ask = reply.token[1]
        cell: Any = reply.target
        home = None if cell is None else cell.identity[0]  # who asks it has a way there
        error = reply.exception()
        if isinstance(error, _core.AskCycleError):
            error = reply.complete_cycle(error)
        elif error is None:
            try:
                self.send_object(reply.result(), wire.ANSWER, 0, ask, home)
                return
            except Exception as failure:
                failure.add_note("This is about the result of the method.")
                error = failure
        self.send_object(Failure(error), wire.FAILURE, 0, ask, home)

    def send_object(
        self, obj: object, kind: int, number: int, ask: int, home: bytes | None = None
    ) -> None:
        """Raises what its encoding does. Nothing happens if the client is gone.

        Args:
            home: the id of a node that the client has a way to.
        """
        encoded = _core.encode_plain(obj, kind, number, ask) or encode(
            obj, wire.pack_suffix(kind, number, ask), known=home
        )
        try:
            encoded.write_to(self.pipe)
        except (_core.PeerClosedError, _core.InvalidArgumentError):
            encoded.abandon()
            if not self.lost and self.pipe.is_valid:
                self.read()

    def _watch_end(self, number: int) -> None:
        if number in self._known:
            return
        observer = self._known[number] = _Watched(self, number)
        cell = self.node.find(number)
        if cell is None:
            observer.on_down((b"", number), self.node.reason_of(number))
        else:
            cell.watch_end(observer)

    def note_told(self, number: int) -> None:
        """The client has been told of an actor's end; any thread."""
        self._told.append(number)
        if len(self._told) > _MOST_TOLD:
            self._known.pop(self._told.popleft(), None)

    # The end.

    def on_lost(self) -> None:
        self._forget_all()
        self.node.forget(self)
        self.close()

    def _forget_all(self) -> None:
        for number, observer in list(self._known.items()):
            cell = self.node.find(number)
            if cell is not None:
                cell.unwatch_end(observer)
            book = self.node.books.get(number)
            if book is not None:
                book.forget(self)
        self._known.clear()
        for reply in list(self._asks.values()):
            reply.cancel()  # whoever has asked is gone
        self._asks.clear()


class _Watched:
    """Tells the client of the end of an actor."""

    __slots__ = ("_accepted", "_number")

    def __init__(self, accepted: Accepted, number: int) -> None:
        self._accepted = accepted
        self._number = number

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """Any thread."""
        if not self._accepted.lost:
            self._accepted.send_object(portable(reason), wire.DOWN, self._number, 0)
            self._accepted.note_told(self._number)


def portable(reason: StopReason) -> tuple[str, Failure | None]:
    """A reason as it is sent; `StopReason(*…)` of that is one again."""
    return reason.kind, None if reason.error is None else Failure(reason.error)
