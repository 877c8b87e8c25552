"""The process's one thread for connections that nobody is just waiting for."""

from __future__ import annotations

import atexit
import os
import threading

from mojo_seq import _core
from mojo_seq.sequence import RunLoop, SequencedTaskRunner


class IoThread:
    """Runs while there is somebody who needs it. Any thread."""

    def __init__(self) -> None:
        self._forget_all()

    def _forget_all(self) -> None:
        """Also in a forked child, which has neither the thread nor its users."""
        self._lock = threading.Lock()
        self._users = 0  # _lock
        self._loop: RunLoop | None = None  # _lock
        self._thread: threading.Thread | None = None  # _lock
        self._process = os.getpid()

    def acquire(self) -> SequencedTaskRunner:
        """One more user, until `release`. Returns the thread's task runner.

        Raises:
            ResourceExhaustedError: no thread can be started.
        """
        with self._lock:
            if self._loop is None:
                loop = RunLoop.for_own_thread()
                thread = threading.Thread(target=loop.run, name="mojo_seq-actors", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise _core.ResourceExhaustedError(f"no thread to be had: {error}") from error
                self._loop, self._thread = loop, thread
            self._users += 1
            return self._loop.task_runner

    def release(self, process: int) -> None:
        """One user less, of those of `process` (os.getpid()); the last takes the thread along."""
        with self._lock:
            if process != self._process:
                return
            self._users -= 1
            if self._users > 0:
                return
            ended = self._take()  # the next user, who may be just coming, has another one
        self._end(*ended)

    def stop(self) -> None:
        """Ends the thread; also at the interpreter's exit."""
        with self._lock:
            ended = self._take()
        self._end(*ended)

    def _take(self) -> tuple[RunLoop | None, threading.Thread | None]:
        """With the lock."""
        loop, self._loop = self._loop, None
        thread, self._thread = self._thread, None
        return loop, thread

    def _end(self, loop: RunLoop | None, thread: threading.Thread | None) -> None:
        if loop is not None and thread is not None:
            loop.quit()
            if thread is not threading.current_thread():
                thread.join()


io_thread = IoThread()
atexit.register(io_thread.stop)
os.register_at_fork(after_in_child=io_thread._forget_all)
