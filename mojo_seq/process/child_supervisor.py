"""ChildSupervisor: the thread that takes the log of all started processes."""

from __future__ import annotations

import atexit
import os
import threading

from mojo_seq.process.log_reader import LogReader
from mojo_seq.sequence import SequencedTaskRunner
from mojo_seq.sequence.loop_thread import OccasionalLoopThread

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE = 0.05


class ChildSupervisor:
    """Has one thread as long as there is a process to read the log of, and no other time."""

    def __init__(self) -> None:
        self._forget_all()

    def _forget_all(self) -> None:
        """Also in a forked child, which has neither the processes nor the thread."""
        self._lock = threading.Lock()
        self._readers = set[LogReader]()  # _lock
        self._abandoned: dict[LogReader, Callable[[], object]] = {}
        self._unreaped: set[Callable[[], object]] = set()  # _lock
        self._thread = OccasionalLoopThread("mojo_seq-children")  # _lock

    def add(self, reader: LogReader) -> None:
        """Reads from now on.

        Raises:
            ResourceExhaustedError: no thread can be started.
        """
        with self._lock:
            runner = self._thread.start()
            self._readers.add(reader)
            runner.post_task(reader.watch, self._on_end)

    def remove(self, reader: LogReader) -> None:
        """Forgets a reader; the last takes the thread with it. Nothing happens the second time."""
        with self._lock:
            self._readers.discard(reader)
        self._stop(only_if_idle=True)

    def abandon(self, reader: LogReader, reap: Callable[[], object]) -> bool:
        """Nobody will wait for the reader's process: when its log has ended, `reap` is called
        until it returns an exit code. Called by a finalizer, so it takes no lock.

        Returns:
            False: its log has ended already.
        """
        self._abandoned[reader] = reap
        return reader in self._readers or self._abandoned.pop(reader, None) is None

    def _on_end(self, reader: LogReader) -> None:
        """On the thread, when a process has closed its end, which is when it ends."""
        with self._lock:
            self._readers.discard(reader)  # first: see `abandon`
            reap = self._abandoned.pop(reader, None)
            if reap is not None:
                self._unreaped.add(reap)
        self._reap()

    def _reap(self) -> None:
        with self._lock:
            unreaped = list(self._unreaped)
        dead = {reap for reap in unreaped if reap() is not None}
        with self._lock:
            self._unreaped -= dead
        if len(dead) < len(unreaped):
            SequencedTaskRunner.current().post_delayed_task(_PAUSE, self._reap)
        self._stop(only_if_idle=True)

    def _stop(self, only_if_idle: bool = False) -> None:
        """Ends the thread; also at the interpreter's exit, when nobody would see the log."""
        with self._lock:
            if only_if_idle and (self._readers or self._unreaped):
                return
            ended = self._thread.take()
        if ended is not None:
            ended.end()


supervisor = ChildSupervisor()
atexit.register(supervisor._stop)
os.register_at_fork(after_in_child=supervisor._forget_all)
