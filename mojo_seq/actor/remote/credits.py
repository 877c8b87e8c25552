"""Credits: how many messages a client may send to an actor before some were taken from its mailbox.

Without them a client would fill the memory of an actor that is slower than it is. The client has as
many as the mailbox has room; each message costs one, and the node gives it back when the message
has left the mailbox. What several clients send beyond the room is parked by the mailbox.
"""

from __future__ import annotations

from collections import deque

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.reply import Reply

_SMALL = 64  # up to this capacity each credit is given back at once, beyond it some together
_BATCHES = 8


class Purse(_core.PurseBase):
    """A client's credits for one actor. Any thread.

    Args:
        number: the actor's.
        box: capacity and overflow ("block" or "fail") of its mailbox.
    """

    __slots__ = ("_number", "_overflow")

    def __init__(self, number: int, box: tuple[int, str]) -> None:
        capacity, self._overflow = box
        self._number = number
        super().__init__(capacity, deque())

    def is_empty(self) -> bool:
        """Whether a message has to wait."""
        return self.left <= 0 or bool(self._held_back)

    def may_hold_back(self, connection: Connection) -> bool:
        """Whether an ask that finds none is to be sent later, if it is awaited."""
        if self._overflow != "block" or _core.may_wait_here():
            return False
        connection.look()
        return self.is_empty() and not self._is_over(connection)

    def wait(self, connection: Connection, target: Any, reply: Reply[Any] | None) -> bool:
        """Waits for one, if this thread may. False: the reply has failed.

        Raises:
            MailboxFullError: there is none for a tell.
        """
        connection.look()
        if self.left <= 0 and self._overflow == "block" and _core.may_wait_here():
            connection.wait_until(lambda: self.left > 0 or self._is_over(connection))
        if self.left > 0 or self._is_over(connection):
            return True
        if reply is not None and self._overflow == "block":
            return True  # somebody else was faster just now: this one runs into debt
        error = _core.MailboxFullError(f"the mailbox of {target!r} is full")
        if reply is None:
            raise error
        reply.fail(error)
        return False

    def _is_over(self, connection: Connection) -> bool:
        return connection.lost or self._number in connection.ends

    def park(self, connection: Connection, send: Any) -> None:
        """Calls `send` when there is a credit; it returns False if it does not need it any more."""
        with connection.shortage:
            self._held_back.append(send)
            connection.short.add(self)
        self.give(connection, 0)
        connection.attend()

    def has_held_back(self) -> bool:
        """Whether somebody waits for a credit."""
        return bool(self._held_back)

    def give(self, connection: Connection, count: int) -> None:
        """So many are back."""
        self.left += count
        while self._held_back and (self.left > 0 or self._is_over(connection)):
            self.left -= 1
            try:
                send = self._held_back.popleft()
            except IndexError:  # another thread was faster
                self.left += 1
                return
            if not send():
                self.left += 1


class CreditBook(_core.CreditBookBase):
    """Gives back the credits of one actor's clients. But for `note`, owned by the sequence of the
    actor."""

    __slots__ = ("_there",)

    def __init__(self, number: int, capacity: int) -> None:
        super().__init__(number, 1 if capacity <= _SMALL else capacity // _BATCHES, deque())
        self._there = number

    def release(self) -> None:
        """Gives all back: the actor will take nothing more. Any thread."""
        while self._waiting:
            accepted = self._waiting.popleft()
            accepted.give_credit(self._there, 1)
