"""Credits: how many messages a client may send to an actor before some were taken from its mailbox.

Without them a client would fill the memory of an actor that is slower than it is. The client has as
many as the mailbox has room; each message costs one, and the node gives it back when the message
has left the mailbox. What several clients send beyond the room is parked by the mailbox.
"""

from __future__ import annotations

import sys
from collections import deque
from contextlib import suppress

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.remote.accepted import Accepted
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.reply import Reply

_SMALL = 64  # up to this capacity each credit is given back at once, beyond it some together
_BATCHES = 8


class Purse:
    """A client's credits for one actor. Any thread.

    Args:
        number: the actor's.
        box: capacity and overflow ("block" or "fail") of its mailbox.
    """

    __slots__ = ("_connection", "_held_back", "_number", "_overflow", "left")

    def __init__(self, connection: Connection, number: int, box: tuple[int, str]) -> None:
        self.left, self._overflow = box
        self._number = number
        self._connection = connection
        self._held_back: deque[Any] = deque()  # sends of asks that are awaited

    def is_empty(self) -> bool:
        """Whether a message has to wait."""
        return self.left <= 0 or bool(self._held_back)

    def may_hold_back(self) -> bool:
        """Whether an ask that finds none is to be sent later, if it is awaited."""
        if self._overflow != "block" or may_wait_here():
            return False
        self._connection.look()
        return self.is_empty() and not self._is_over()

    def wait(self, target: Any, reply: Reply[Any] | None) -> bool:
        """Waits for one, if this thread may. False: the reply has failed.

        Raises:
            MailboxFullError: there is none for a tell.
        """
        self._connection.look()
        if self.left <= 0 and self._overflow == "block" and may_wait_here():
            self._connection.wait_until(lambda: self.left > 0 or self._is_over())
        if self.left > 0 or self._is_over():
            return True
        error = _core.MailboxFullError(f"the mailbox of {target!r} is full")
        if reply is None:
            raise error
        reply.fail(error)
        return False

    def _is_over(self) -> bool:
        return self._connection.lost or self._number in self._connection.ends

    def park(self, send: Any) -> None:
        """Calls `send` when there is a credit."""
        self._held_back.append(send)
        self._connection.attend()
        self.give(0)

    def give(self, count: int) -> None:
        """So many are back."""
        self.left += count
        while self._held_back and (self.left > 0 or self._is_over()):
            self.left -= 1
            self._held_back.popleft()()


def may_wait_here() -> bool:
    """Whether this thread may wait for room: no sequence or event loop would stand still."""
    with suppress(RuntimeError):
        _core.current_runner()
        return False
    if _core.current_cell() is not None:
        return False
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return False
    trio: Any = sys.modules.get("trio")
    return trio is None or not trio.lowlevel.in_trio_run()


class CreditBook:
    """Gives back the credits of one actor's clients. Owned by the actor's sequence, but for `note`."""

    __slots__ = ("_batch", "_counts", "_number", "_waiting")

    def __init__(self, number: int, capacity: int) -> None:
        self._number = number
        self._batch = 1 if capacity <= _SMALL else capacity // _BATCHES
        self._waiting: deque[Accepted] = deque()  # who has sent what is in the mailbox
        self._counts: dict[Accepted, int] = {}

    def note(self, accepted: Accepted) -> None:
        """A client's message goes into the mailbox."""
        self._waiting.append(accepted)

    def on_taken(self) -> None:
        """A message has left the mailbox. One of this process's own may be taken for a client's:
        then the client gets its credit a little early."""
        if not self._waiting:
            return
        accepted = self._waiting.popleft()
        count = self._counts.get(accepted, 0) + 1
        if count >= self._batch:
            accepted.give_credit(self._number, count)
            count = 0
        if accepted.lost:
            self._counts.pop(accepted, None)
        else:
            self._counts[accepted] = count
