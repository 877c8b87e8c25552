"""ChildSupervisor: the thread that takes the log of all started processes."""

from __future__ import annotations

import atexit
import os
import threading

from mojo_seq import _core
from mojo_seq.process.log_reader import LogReader
from mojo_seq.sequence import RunLoop, SequencedTaskRunner

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
        self._loop: RunLoop | None = None  # _lock
        self._thread: threading.Thread | None = None  # _lock

    def add(self, reader: LogReader) -> None:
        """Reads from now on.

        Raises:
            ResourceExhaustedError: no thread can be started.
        """
        with self._lock:
            if self._loop is None:
                loop = RunLoop()
                thread = threading.Thread(target=loop.run, name="mojo_seq-children", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise _core.ResourceExhaustedError(f"no thread to be had: {error}") from error
                self._loop, self._thread = loop, thread
            self._readers.add(reader)
            self._loop.task_runner.post_task(reader.watch, self._on_end)

    def remove(self, reader: LogReader) -> None:
        """Forgets a reader; the last takes the thread with it. Nothing happens the second time."""
        with self._lock:
            self._readers.discard(reader)
            if self._readers or self._loop is None:
                return
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        loop.quit()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def abandon(self, reader: LogReader, reap: Callable[[], object]) -> None:
        """Nobody will wait for the reader's process: `reap` is called until it returns its exit
        code. Called by a finalizer, so it takes no lock."""
        self._abandoned[reader] = reap

    def _on_end(self, reader: LogReader) -> None:
        """On the thread, when the process has closed its end, which is when it ends."""
        reap = self._abandoned.get(reader)
        if reap is not None and reap() is None:
            SequencedTaskRunner.current().post_delayed_task(_PAUSE, self._on_end, reader)
            return
        self._abandoned.pop(reader, None)
        self.remove(reader)

    def _stop(self) -> None:
        """At the interpreter's exit. What the processes log later, nobody would see."""
        with self._lock:
            self._readers.clear()
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.quit()
            thread.join()


supervisor = ChildSupervisor()
atexit.register(supervisor._stop)
os.register_at_fork(after_in_child=supervisor._forget_all)
