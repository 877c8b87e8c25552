"""The process's one thread for connections that nobody is just waiting for."""

from __future__ import annotations

import atexit
import os
import threading

from mojo_seq.sequence.loop_thread import OccasionalLoopThread

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.sequence import SequencedTaskRunner


class IoThread:
    """Runs while there is somebody who needs it. Any thread."""

    def __init__(self) -> None:
        self._forget_all()

    def _forget_all(self) -> None:
        """Also in a forked child, which has neither the thread nor its users."""
        self._lock = threading.Lock()
        self._users = 0  # _lock
        self._thread = OccasionalLoopThread("mojo_seq-actors")  # _lock
        self._process = os.getpid()

    def acquire(self) -> SequencedTaskRunner:
        """One more user, until `release`. Returns the thread's task runner.

        Raises:
            ResourceExhaustedError: no thread can be started.
        """
        with self._lock:
            runner = self._thread.start()
            self._users += 1
            return runner

    def release(self, process: int) -> None:
        """One user less, of those of `process` (os.getpid()); the last takes the thread along."""
        with self._lock:
            if process != self._process:
                return
            self._users -= 1
            if self._users > 0:
                return
            ended = self._thread.take()
        if ended is not None:
            ended.end()

    def stop(self) -> None:
        """Ends the thread; also at the interpreter's exit."""
        with self._lock:
            ended = self._thread.take()
        if ended is not None:
            ended.end()


io_thread = IoThread()
atexit.register(io_thread.stop)
os.register_at_fork(after_in_child=io_thread._forget_all)
