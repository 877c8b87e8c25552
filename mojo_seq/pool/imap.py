"""TaskResults: the iterator of `imap` and `imap_unordered`."""

from __future__ import annotations

from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq._core import ShutdownError
from mojo_seq.pool.chunk import Raised, outcomes
from mojo_seq.pool.result_iterator import PENDING, ResultIterator

if TYPE_CHECKING:
    from typing import Never

    from mojo_seq.pool.progress import Progress
    from mojo_seq.pool.task_window import StartedTask, TaskWindow

T_co = TypeVar("T_co", covariant=True)


class TaskResults(ResultIterator[T_co]):
    """One result for each call. The first tasks are started at once.

    Args:
        window: the tasks.
        chunked: whether they make several calls each.
        total: how many calls there will be, if that is known.
        progress: told of what is done, on the thread that iterates.

    Raises:
        ShutdownError: the pool was shut down.
        concurrent.futures.BrokenExecutor: its initializer fails.
    """

    def __init__(
        self, window: TaskWindow, *, chunked: bool, total: int | None, progress: Progress | None
    ) -> None:
        super().__init__(window.arrivals.bell)
        self._window = window
        self._chunked = chunked
        self._total = total
        self._progress = progress
        self._ready: deque[Any] = deque()
        self._closed = False
        if progress is not None:
            progress.update(0, total)
        window.refill()
        if window.calls_taken == 0 and isinstance(window.error, ShutdownError | BrokenExecutor):
            self.close()
            raise window.error

    def __next__(self) -> T_co:
        try:
            item = self._ready.popleft()  # of a chunk: this is all that it takes
        except IndexError:
            return self.next()
        if type(item) is Raised:
            self._raise(item)
        return item  # type: ignore[no-any-return]

    def _poll(self) -> T_co:
        if not self._ready and not self._take():
            return PENDING  # type: ignore[no-any-return]
        item = self._ready.popleft()
        if type(item) is Raised:
            self._raise(item)
        return item  # type: ignore[no-any-return]

    def _raise(self, raised: Raised) -> Never:
        try:
            raise raisable(raised.error)
        finally:
            del raised  # which the traceback leads to

    def _take(self) -> bool:
        """Takes what a task has made. False: none is over.

        Advances the iterables as long as no result is there, and by one for each that was: so
        one that waits for something holds back no more than one result.
        """
        if self._closed:
            raise StopIteration
        window = self._window
        window.refill()
        self._show_progress()
        task = window.take()
        if task is not None:
            self._ready.extend(_outcomes_of(task, self._chunked))
            window.add()
            return True
        if window.is_exhausted and window.is_empty:
            self._end()
        return False

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._window.cancel()
        self._ready.clear()
        if self._progress is not None:
            self._progress.close()

    def _end(self) -> None:
        error, self._window.error = self._window.error, None
        self.close()
        try:
            raise StopIteration if error is None else raisable(error)
        finally:
            del error

    def _show_progress(self) -> None:
        if self._progress is not None:
            window = self._window
            total = window.calls_taken if window.is_exhausted else self._total
            self._progress.update(window.calls_done + (window.parts_done() or 0), total)


def raisable(error: BaseException) -> BaseException:
    """The error, or, if it would pass for the end of the results, another one."""
    if isinstance(error, StopIteration | StopAsyncIteration):
        instead = RuntimeError(f"a task has raised {type(error).__name__}")
        instead.__cause__ = error
        return instead
    return error


def _outcomes_of(task: StartedTask, chunked: bool) -> list[Any]:
    future = task.future
    error = CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        return [Raised(error)] * task.calls
    return outcomes(future.result()) if chunked else [future.result()]
