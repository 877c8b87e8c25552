"""ResultStreams: `imap`, `imap_unordered` and `stream`, of a pool and of each view of it."""

from __future__ import annotations

from abc import abstractmethod
from operator import length_hint
from time import monotonic

from mojo_seq.pool.argument_checks import positive
from mojo_seq.pool.call_encoding import check_callable
from mojo_seq.pool.call_text import name_of
from mojo_seq.pool.task_options import USUAL

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, SupportsIndex, TypeVar

    from mojo_seq.pool.open_streams import OpenStreams
    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.progress import ProgressCallback
    from mojo_seq.pool.result_iterator import ResultIterator
    from mojo_seq.pool.task_options import TaskOptions

    _T = TypeVar("_T")

_TASKS_PER_WORKER = 2  # by default: one that runs, and one that is next
_GROWTH = 32  # at most


class ResultStreams:
    """What it takes: a way to start tasks, and how many can run at a time."""

    @property
    @abstractmethod
    def max_workers(self) -> int:
        """How many workers there are at most."""

    @abstractmethod
    def _start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskOptions = USUAL,
        /,
    ) -> PoolFuture[Any]:
        """Starts a task."""

    @property
    @abstractmethod
    def _streams(self) -> OpenStreams:
        """The pool's."""

    def imap(
        self,
        fn: Callable[..., _T],
        /,
        *iterables: Iterable[Any],
        buffer: SupportsIndex | None = None,
        chunksize: SupportsIndex = 1,
        progress: bool | ProgressCallback | None = None,
    ) -> ResultIterator[_T]:
        """The results of `fn(*args)` for each `args` of `zip(*iterables)`, in this order.

        Nothing runs far ahead of whoever iterates, so the iterables may be infinite: they are
        advanced by this call and by `next`, on the thread of the caller. The first tasks start at
        once. An exception of a call is raised in the place of its result, and so are what pickling
        raises and WorkerDiedError; the next result can be had after it. One of the iterables comes
        after the results of all that was before it, and is the end.

        Ending early (see ResultIterator) cancels the tasks that have not begun; those that run are
        asked to end (`current_task().cancelled`) and else go on. No result is kept in memory but
        those that are ahead.

        Args:
            fn: called in the workers.
            iterables: of the arguments; the shortest ends it.
            buffer: how many tasks may be started whose results were not taken, those that are
                finished included; None: two for each worker, and more, up to 64, as long as the
                tasks take less than a millisecond or so.
            chunksize: how many calls are sent to a worker at once, as one task. Larger ones make
                short calls cheaper.
            progress: True shows a bar on standard error (by rich if that is installed, else as
                text); or it is a callback `progress(done, total)`, called here and while iterating,
                on that thread: `total` is None while the number of calls is unknown, and `done`
                has a fraction while tasks report of themselves
                (`current_task().report(done, total)`).

        Returns:
            An iterator of results, also for `async for`.

        Raises:
            TypeError: fn is not callable, or is a generator function (see `stream`); or there are
                no iterables, or one is not iterable.
            InvalidArgumentError: buffer or chunksize is less than 1.
            ShutdownError: the pool was shut down.
            BrokenPoolError: its initializer fails.
            CancelledError: the scope, group or task that the caller is in is cancelled.
        """
        return self._imap(fn, iterables, buffer, chunksize, progress, ordered=True)

    def imap_unordered(
        self,
        fn: Callable[..., _T],
        /,
        *iterables: Iterable[Any],
        buffer: SupportsIndex | None = None,
        chunksize: SupportsIndex = 1,
        progress: bool | ProgressCallback | None = None,
    ) -> ResultIterator[_T]:
        """The same as `imap`, but the results come as they are made: none waits for another."""
        return self._imap(fn, iterables, buffer, chunksize, progress, ordered=False)

    def stream(
        self,
        fn: Callable[..., Iterable[_T]],
        /,
        *args: Any,
        buffer: SupportsIndex = 16,
        progress: bool | ProgressCallback | None = None,
        **kwargs: Any,
    ) -> ResultIterator[_T]:
        """The items of the generator `fn(*args, **kwargs)`, which runs in a worker, as it makes
        them.

        It occupies its worker until it ends. It makes an item only when there is room for it, so
        it may be infinite. An exception comes after the items that were made before it, also
        WorkerDiedError; both are the end. A stream is not run again (`retries` do not apply to
        it). What the generator returns is the value of the StopIteration at the end.

        Ending early (see ResultIterator) closes the generator in the worker, by GeneratorExit, at
        its next item. If it makes none for 2 s, the worker is killed and replaced. When the pool
        is shut down, all generators are closed at their next item: who still iterates gets what
        was made, and then a ShutdownError.

        Args:
            fn: called in the worker; returns something to be iterated over.
            args, kwargs: for fn. For parameters of its own called `buffer` or `progress` use
                functools.partial.
            buffer: how many items may have been made and not been taken.
            progress: as that of `imap`. `done` counts the items taken, until the generator
                reports something else.

        Returns:
            An iterator of the items, also for `async for`.

        Raises:
            TypeError, AttributeError, pickle.PicklingError: the call cannot be pickled; a note
                tells what of it.
            InvalidArgumentError: buffer is less than 1.
            ShutdownError: the pool was shut down.
            BrokenPoolError: its initializer fails.
            CancelledError: the scope, group or task that the caller is in is cancelled.
        """
        if not callable(fn):
            raise TypeError(f"{fn!r} is not callable")
        from mojo_seq.pool.item_stream import ItemStream  # as others here: by those who need it
        from mojo_seq.pool.progress import make_progress

        room = positive("buffer", buffer)
        shown = make_progress(progress, name_of(fn))
        stream: ItemStream[_T] = ItemStream(
            self._start, fn, args, kwargs, room=room, progress=shown
        )
        self._streams.add(stream)
        return stream

    def _imap(
        self,
        fn: Callable[..., _T],
        iterables: tuple[Iterable[Any], ...],
        buffer: SupportsIndex | None,
        chunksize: SupportsIndex,
        progress: bool | ProgressCallback | None,
        *,
        ordered: bool,
    ) -> ResultIterator[_T]:
        check_callable(fn)
        if not iterables:
            raise TypeError("there must be at least one iterable")
        size = _TASKS_PER_WORKER * self.max_workers
        return self._results(
            fn,
            iterables,
            size=size if buffer is None else positive("buffer", buffer),
            growth=_GROWTH if buffer is None else 1,
            chunksize=positive("chunksize", chunksize),
            progress=progress,
            ordered=ordered,
        )

    def _map_with_progress(
        self,
        fn: Callable[..., _T],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        chunksize: SupportsIndex,
        progress: bool | ProgressCallback,
    ) -> Iterator[_T]:
        """See `TaskStarter.map`; what cannot be pickled fails in its place."""
        end = None if timeout is None else monotonic() + timeout
        results: ResultIterator[_T] = self._results(
            fn,
            iterables,
            size=None,
            growth=1,
            chunksize=positive("chunksize", chunksize),
            progress=progress,
            ordered=True,
        )
        return _until_the_first_error(results, end)

    def _results(
        self,
        fn: Callable[..., _T],
        iterables: tuple[Iterable[Any], ...],
        *,
        size: int | None,
        growth: int,
        chunksize: int,
        progress: bool | ProgressCallback | None,
        ordered: bool,
    ) -> ResultIterator[_T]:
        from mojo_seq.pool.imap import TaskResults
        from mojo_seq.pool.progress import make_progress
        from mojo_seq.pool.task_window import TaskWindow

        shown = make_progress(progress, name_of(fn))
        window = TaskWindow(
            self._start,
            fn,
            zip(*iterables, strict=False),
            size=size,
            growth=growth,
            chunksize=chunksize,
            ordered=ordered,
        )
        total = _length_of(iterables)
        return TaskResults(window, chunked=chunksize > 1, total=total, progress=shown)


def _until_the_first_error(results: ResultIterator[_T], end: float | None) -> Iterator[_T]:
    """As a generator, which ends with the first exception."""
    with results:
        while True:
            left = None if end is None else max(0.0, end - monotonic())
            try:
                result = results.next(left)
            except StopIteration:
                return
            yield result


def _length_of(iterables: tuple[Iterable[Any], ...]) -> int | None:
    """How many calls there will be; those whose length is not known are taken for long."""
    known = [length for each in iterables if (length := length_hint(each, -1)) >= 0]
    return min(known, default=None)
