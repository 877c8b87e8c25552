"""LogReader: takes what a started process logs, and gives it to the loggers here."""

from __future__ import annotations

import logging
import threading
import traceback

from mojo_seq import _core
from mojo_seq.process import log_record

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 64


class LogReader:
    """Reads a control pipe until the process at its other end closes it or ends.

    Args:
        control: belongs to the reader from now on.
        description: of the process.
    """

    def __init__(self, control: _core.MessagePipeHandle, description: str) -> None:
        self._control = control
        self._description = description
        self._lock = threading.RLock()  # one thread at a time, so that the records keep their order
        self._watcher: _core.SimpleWatcher | None = None  # the supervisor's sequence's

    def watch(self, on_end: Callable[[LogReader], object]) -> None:
        """Reads in tasks of the current sequence from now on; `on_end` is called in the last."""

        def on_readable(result: _core.Result, state: _core.SignalsState) -> None:
            self._read(_BATCH)
            if not self._control.is_valid:
                on_end(self)

        if not self._control.is_valid:
            return
        self._watcher = _core.SimpleWatcher()
        self._watcher.watch(self._control, _core.Signals.READABLE, on_readable)

    def finish(self, timeout: float | None = None) -> bool:
        """Handles all that has come so far, as nothing more will. Any thread.

        Returns:
            False: another thread was at it, and not ready in time.
        """
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            return False
        try:
            while self._read(_BATCH):
                continue
            self._control.close()
        finally:
            self._lock.release()
        return True

    def _read(self, most: int) -> bool:
        """False: there is nothing now. Closes the pipe if there will be nothing any more."""
        with self._lock:
            try:
                messages = self._control.read_batch(most)
            except _core.MojoError:
                self._control.close()
                return False
            for message in messages:
                with message:
                    payload = bytes(message)
                if self._control.is_valid:
                    self._handle(payload)
            return bool(messages)

    def _handle(self, payload: bytes) -> None:
        try:
            record = log_record.decode(payload)
        except ValueError:
            self._control.close()
            logging.getLogger("mojo_seq").exception("the log of %s is damaged", self._description)
            return
        try:
            logging.getLogger(record.name).handle(record)
        except Exception:  # of a filter: handlers have their own way of telling
            if logging.raiseExceptions:
                traceback.print_exc()
