"""LoopThread: a run loop on a thread of its own, for the library itself; always or at times."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.sequence.only_thread import OnlyThread
from mojo_seq.sequence.run_loop import RunLoop

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.sequence.task_runner import SequencedTaskRunner


class LoopThread:
    """Runs from `start()` to `end()`. It keeps the interpreter from nothing, but who made it
    ends it at the interpreter's exit. Any thread.

    Args:
        name: of the thread.
    """

    __slots__ = ("_loop", "_thread")

    def __init__(self, name: str) -> None:
        self._loop = RunLoop.for_own_thread()
        self._thread = OnlyThread(self._loop.run, name)

    def start(self) -> None:
        """One thread at a time. Nothing happens if it runs, or did.

        Raises:
            ResourceExhaustedError: no thread can be started.
        """
        self._thread.start()

    @property
    def task_runner(self) -> SequencedTaskRunner:
        """The thread's sequence."""
        return self._loop.task_runner

    def end(self) -> None:
        """Ends the thread after the task that it is at, and waits for that, unless this is it."""
        self._loop.quit()
        if not self._thread.is_current:
            self._thread.join()


class OccasionalLoopThread:
    """A LoopThread that is there when it is needed. Its owner's lock is held for each call.

    Args:
        name: of the thread.
    """

    __slots__ = ("_name", "_thread")

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: LoopThread | None = None

    def start(self) -> SequencedTaskRunner:
        """The thread's sequence; the thread is started if there is none.

        Raises:
            ResourceExhaustedError: no thread can be started. Nothing is left of it.
        """
        if self._thread is None:
            self._thread = LoopThread(self._name)
        try:
            self._thread.start()
        except _core.ResourceExhaustedError:
            self._thread = None
            raise
        return self._thread.task_runner

    def take(self) -> LoopThread | None:
        """What is to be ended, without the lock; who needs one from now on has another."""
        thread, self._thread = self._thread, None
        return thread
