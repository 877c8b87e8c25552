"""TaskWindow: the tasks that are ahead of whoever iterates over their results."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Future
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from mojo_seq import _core
from mojo_seq.pool.arrivals import Arrivals
from mojo_seq.pool.chunk import CallEach
from mojo_seq.pool.task_options import TaskOptions
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mojo_seq.pool.starting import Start


_SHORT = 0.005  # seconds for all tasks that fit in, from which on more do not make it faster


class StartedTask(NamedTuple):
    """One or, in chunks, several calls."""

    future: Future[Any]
    calls: int


class TaskWindow:
    """Takes arguments from an iterable and starts tasks, not more than fit in.

    Owned by whoever iterates, but for `cancel`. The iterable is advanced on its thread.

    Args:
        start: starts a task.
        fn: the function.
        calls: the arguments of each call.
        size: how many tasks fit in; None: all.
        growth: how many times as many fit in at most, if they are done within milliseconds.
        chunksize: how many calls a task makes.
        ordered: whether tasks are taken out in the order in which they were put in.
    """

    def __init__(
        self,
        start: Start,
        fn: Callable[..., Any],
        calls: Iterable[tuple[Any, ...]],
        *,
        size: int | None,
        growth: int,
        chunksize: int,
        ordered: bool,
    ) -> None:
        self.arrivals = Arrivals()
        self.calls_taken = 0
        self.calls_done = 0
        self.error: BaseException | None = None  # the iterable's, or of a pool that has ended
        self._start = start
        self._fn = fn if chunksize == 1 else CallEach(fn)
        self._source: Iterator[tuple[Any, ...]] | None = iter(calls)
        self._size = size
        self._largest = 0 if size is None else size * growth
        self._turn = (0, 0.0)  # when so many were taken out as fit in, and when that was
        self._chunksize = chunksize
        self._ordered = ordered
        self._tasks: dict[int, StartedTask] = {}
        self._finished: dict[int, None] = {}  # of those in _tasks: a set that keeps the order
        self._next_in = 0
        self._next_out = 0
        self._chunk: list[tuple[Any, ...]] = []
        self._cancelled = False

    @property
    def is_exhausted(self) -> bool:
        """Whether all arguments were taken."""
        return self._source is None and not self._chunk

    @property
    def is_empty(self) -> bool:
        return not self._tasks

    def refill(self) -> None:
        """Starts tasks until one is ready to be taken out, or no more fit in.

        Raises:
            CancelledError: the scope, group or task that the caller is in is cancelled.
        """
        self._look()
        while self._has_room() and (self._size is None or self._ready() is None):
            self.add()
            self._look()

    def add(self) -> None:
        """Starts one more task, if it fits in."""
        if self._has_room():
            self._take_chunk()
            if self._chunk:
                self._start_task()

    def take(self) -> StartedTask | None:
        """Takes out the next task that is over, if any is."""
        number = self._ready()
        if number is None:
            return None
        self._finished.pop(number)
        self._next_out += 1
        if self._size is not None and self._size < self._largest:
            self._grow(self._size)
        return self._tasks.pop(number)

    def _grow(self, size: int) -> None:
        """Tasks that take next to no time cost many times that if each is waited for."""
        taken, since = self._turn
        if self._next_out - taken >= size:
            now = monotonic()
            if now - since < _SHORT:
                self._size = min(2 * size, self._largest)
            self._turn = self._next_out, now

    def parts_done(self) -> float:
        """How many calls have been made, by the tasks that run, as those have reported."""
        parts = 0.0
        for number, (done, total) in list(self.arrivals.reports.items()):
            if total and number in self._tasks and number not in self._finished:
                parts += min(max(done / total, 0.0), 1.0)
        return parts

    def cancel(self) -> None:
        """Nothing is started any more; tasks that have not begun will not, others learn of it."""
        self._cancelled = True
        self._source = None
        self._chunk = []
        for task in list(self._tasks.values()):
            _cancel(task.future)
        self.arrivals.bell.ring()

    def _has_room(self) -> bool:
        return not self.is_exhausted and (self._size is None or len(self._tasks) < self._size)

    def _ready(self) -> int | None:
        if not self._ordered:
            return next(iter(self._finished), None)
        return self._next_out if self._next_out in self._finished else None

    def _look(self) -> None:
        arrived = self.arrivals.finished
        while arrived:
            number = arrived.popleft()
            self._finished[number] = None
            self.calls_done += self._tasks[number].calls
            self.arrivals.reports.pop(number, None)

    def _take_chunk(self) -> None:
        """What it has got stays in the chunk if Ctrl-C ends the iterable's next step."""
        source = self._source
        if source is None:
            return
        try:
            while len(self._chunk) < self._chunksize:
                self._chunk.append(next(source))
                self.calls_taken += 1
        except StopIteration:
            self._source = None
        except Exception as error:
            self._source = None
            self.error = error

    def _start_task(self) -> None:
        scope = innermost()
        raise_if_cancelled(scope)
        number = self._next_in
        chunk, self._chunk = self._chunk, []
        args = chunk[0] if self._chunksize == 1 else (chunk,)
        future: Future[Any]
        try:
            on_item = partial(self.arrivals.report, number)
            future = self._start(self._fn, args, {}, TaskOptions(scope=scope, on_item=on_item))
        except (_core.ShutdownError, BrokenExecutor) as error:  # and so would all others be
            self._source = None
            self.calls_taken -= len(chunk)
            self.error = error
            return
        except Exception as error:
            future = Future()
            future.set_exception(error)
        self._next_in += 1
        self._tasks[number] = StartedTask(future, len(chunk))
        future.add_done_callback(partial(self.arrivals.finish, number))
        if self._cancelled:  # meanwhile, by another thread
            _cancel(future)


def _cancel(future: Future[Any]) -> None:
    if not future.cancel() and not future.done():
        future.request_cancel()  # type: ignore[attr-defined]  # those of the pool have it
