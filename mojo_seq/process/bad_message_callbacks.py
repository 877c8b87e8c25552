"""Who is told of bad messages from which process."""

from __future__ import annotations

import os
import threading

from mojo_seq import _core
from mojo_seq.process.bad_message_report import BadMessageReport
from mojo_seq.process.control_pipe import ControlPipe
from mojo_seq.process.invitation_message import decode_answer

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _OnError: TypeAlias = Callable[[BadMessageReport], object]

_MOST_DEPARTED = 64


class _Callbacks:
    """Callbacks by the process whose bad messages they are told of."""

    def __init__(self) -> None:
        self._forget_all()

    def _forget_all(self) -> None:
        """Also in a forked child, which has none of its parent's pipes."""
        self._lock = threading.Lock()
        self._living: dict[int, _OnError] = {}  # _lock
        # Messages can be read when their sender is gone. Of the last that went; _lock.
        self._departed: dict[int, _OnError] = {}
        self._unknown: set[Invitee] = set()  # _lock
        # Held while an invitation goes out: the answer may be here before whom it is for is known.
        self.inviting = threading.RLock()

    def add(self, pid: int, on_error: _OnError) -> None:
        """From now on `on_error` is told of this process; of two, the last that was added."""
        with self._lock:
            self._departed.pop(pid, None)
            self._living[pid] = on_error
        _core.set_bad_message_handler(_handle)

    def depart(self, pid: int, on_error: _OnError) -> None:
        """The process has ended."""
        with self._lock:
            if self._living.get(pid) is not on_error:
                return
            self._departed[pid] = self._living.pop(pid)
            if len(self._departed) > _MOST_DEPARTED:
                del self._departed[next(iter(self._departed))]

    def add_unknown(self, invitee: Invitee) -> None:
        """A process that has not said yet who it is."""
        with self._lock:
            self._unknown.add(invitee)
        _core.set_bad_message_handler(_handle)

    def forget_unknown(self, invitee: Invitee) -> None:
        """It said who it is, or never will."""
        with self._lock:
            self._unknown.discard(invitee)

    def find(self, pid: int) -> _OnError | None:
        """Whom to tell of a process."""
        with self.inviting, self._lock:
            unknown = list(self._unknown)
        for invitee in unknown:
            invitee.look()  # it may have said it just now
        with self._lock:
            return self._living.get(pid) or self._departed.get(pid)


callbacks = _Callbacks()


class Invitee(ControlPipe):
    """The process that accepts an invitation; `on_error` is told of its bad messages.

    Args:
        control: the pipe over which it says who it is, and whose end means its own.
    """

    def __init__(self, control: _core.MessagePipeHandle, on_error: _OnError) -> None:
        super().__init__(control)
        self._on_error = on_error
        self._pid: int | None = None
        callbacks.add_unknown(self)

    def on_message(self, message: _core.Message) -> bool:
        with message:
            pid = decode_answer(message.payload)
        if pid is None or self._pid is not None:
            return False
        self._pid = pid
        callbacks.add(pid, self._on_error)
        callbacks.forget_unknown(self)
        return True

    def on_closed(self) -> None:
        callbacks.forget_unknown(self)
        if self._pid is not None:
            callbacks.depart(self._pid, self._on_error)


def _handle(reason: str, pid: int) -> bool:
    """Called by `Message.notify_bad`, on its thread."""
    on_error = callbacks.find(pid)
    if on_error is None:
        return False
    try:
        on_error(BadMessageReport(reason, pid))
    except Exception:
        import logging

        logging.getLogger("mojo_seq").exception("on_error of process %d raised", pid)
    return True


os.register_at_fork(after_in_child=callbacks._forget_all)
