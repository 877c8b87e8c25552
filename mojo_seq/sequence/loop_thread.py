"""LoopThread: a run loop on a thread of its own, for the library itself."""

from __future__ import annotations

import threading

from mojo_seq import _core
from mojo_seq.sequence.run_loop import RunLoop

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.sequence.task_runner import SequencedTaskRunner


class LoopThread:
    """Runs from the beginning to `end()`. It keeps the interpreter from nothing, but who made it
    ends it at the interpreter's exit. Any thread.

    Args:
        name: of the thread.

    Raises:
        ResourceExhaustedError: no thread can be started.
    """

    __slots__ = ("_loop", "_thread")

    def __init__(self, name: str) -> None:
        self._loop = RunLoop.for_own_thread()
        self._thread = threading.Thread(target=self._loop.run, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise _core.ResourceExhaustedError(f"no thread to be had: {error}") from error

    @property
    def task_runner(self) -> SequencedTaskRunner:
        """The thread's sequence."""
        return self._loop.task_runner

    def end(self) -> None:
        """Ends the thread after the task that it is at, and waits for that, unless this is it."""
        self._loop.quit()
        if self._thread is not threading.current_thread():
            self._thread.join()
