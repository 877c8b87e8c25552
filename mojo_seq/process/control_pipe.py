"""ControlPipe: a pipe between two processes themselves, beside those of their programs."""

from __future__ import annotations

import os
import threading

from mojo_seq import _core
from mojo_seq.sequence.exit_calls import exit_calls

_kept = set["ControlPipe"]()  # nobody else holds them; in a forked child, its parent's


class ControlPipe:
    """Keeps a pipe until the process at its other end closes its own or ends.

    Subclasses say what is done with what comes; `start` has to be called once.

    Args:
        pipe: belongs to the ControlPipe from now on.
    """

    def __init__(self, pipe: _core.MessagePipeHandle) -> None:
        self._pipe = pipe
        self._lock = threading.RLock()
        self._ended = False  # _lock
        self._watcher = _core.Watcher(self._notify)

    def start(self) -> None:
        """Begins to watch, and looks at what is there already."""
        if not _kept:
            exit_calls.add(_close_all)
        _kept.add(self)
        self._watcher.watch(self._pipe, _core.Signals.READABLE, None)
        self.look()

    def on_message(self, message: _core.Message) -> bool:
        """Called with what comes, on the thread that noticed. False: that was wrong, the pipe is
        closed. Nobody may keep that thread busy with messages that are not expected."""
        message.close()
        return False

    def on_closed(self) -> None:
        """Called once, when nothing will come any more."""

    def _notify(
        self,
        context: object,
        result: _core.Result,
        state: _core.SignalsState,
        flags: _core.NotificationFlags,
    ) -> None:
        if result is not _core.Result.CANCELLED:
            self.look()

    def look(self) -> None:
        """Takes what has come so far, now and on this thread."""
        with self._lock:
            while not self._ended:
                self._ended = not self._read_all()
                if not self._ended and not self._watcher.arm():
                    return
        # Without the lock: closing waits for a callback on another thread, which may wait for it.
        self.close()

    def _read_all(self) -> bool:
        """False when nothing will come any more."""
        while True:
            try:
                message = self._pipe.read()
            except _core.ShouldWaitError:
                return True
            except _core.MojoError:  # closed at the other end, or here; or nothing but garbage came
                return False
            if not self.on_message(message):
                return False

    def close(self) -> None:
        """Lets go of the pipe; nothing happens the second time."""
        with self._lock:
            self._ended = True
            if self not in _kept:
                return
            _kept.discard(self)
        self._pipe.close()
        self.on_closed()


def _close_all() -> None:
    for each in list(_kept):
        each.close()


os.register_at_fork(after_in_child=_kept.clear)
