"""OnlyThread: a thread that is started once, whatever interrupts who starts it."""

from __future__ import annotations

import threading

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable


class OnlyThread:
    """A daemon thread that runs a function once.

    Ctrl-C may hit who starts a thread at any point, so that it may run, or be about to, or not,
    and nobody can tell. So starting may be repeated: of all the threads that were started, the
    first that gets to run does the work, and the others end at once.

    Args:
        run: the function.
        name: of the thread.
    """

    def __init__(self, run: Callable[[], object], name: str) -> None:
        self._run = run
        self._name = name
        self._claim = threading.Lock()  # for ever: taken by the thread that does it, or by `wait`
        self._over = threading.Event()
        self._thread: threading.Thread | None = None  # the one that has the claim sets it
        self.is_started = False  # for certain

    @property
    def may_run(self) -> bool:
        """Whether somebody has begun to start it."""
        return self.is_started or self._claim.locked()

    @property
    def is_current(self) -> bool:
        """Whether it is this thread."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Any thread, one at a time; nothing happens if it runs, or did.

        Raises:
            ResourceExhaustedError: no thread to be had.
        """
        if not self.is_started:
            try:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            except RuntimeError as error:
                if isinstance(error.__context__, KeyboardInterrupt):
                    raise error.__context__ from None  # in the midst of threading's own locks
                raise _core.ResourceExhaustedError(f"no thread to be had: {error}") from error
            self.is_started = True

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the function has returned. False: it has not, after so many seconds.

        Where it was not started for certain, and has not begun, it never will.
        """
        if not self.is_started and self._claim.acquire(blocking=False):
            self._over.set()
        return self._over.wait(timeout)

    def join(self) -> None:
        """The same, and until the thread has ended."""
        self.wait()  # an interrupted Thread.join() takes the thread for ended
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        if not self._claim.acquire(blocking=False):
            return
        self._thread = threading.current_thread()
        try:
            self._run()
        finally:
            self._over.set()
