"""What `map` returns."""

from __future__ import annotations

from itertools import islice
from time import monotonic

from mojo_seq.pool.argument_checks import positive
from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, SupportsIndex, TypeVar

    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.task_options import TaskOptions

    _T = TypeVar("_T")


class CallInRow:
    """What runs in the worker: the function, with the first of each column, the second, ...

    Attributes:
        __wrapped__: the function; what errors speak of.
    """

    __slots__ = ("__wrapped__",)

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.__wrapped__ = fn

    def __call__(self, *columns: Iterable[Any]) -> tuple[list[Any], Failure | None]:
        """Returns the results up to the first exception, and that."""
        results: list[Any] = []
        try:
            results.extend(map(self.__wrapped__, *columns))
        except Exception as error:
            return results, Failure(error)
        return results, None

    def __reduce__(self) -> tuple[Any, ...]:
        return CallInRow, (self.__wrapped__,)


def map_calls(
    start: Callable[..., PoolFuture[Any]],
    options: TaskOptions,
    fn: Callable[..., _T],
    iterables: tuple[Iterable[Any], ...],
    timeout: float | None,
    chunksize: SupportsIndex,
) -> Iterator[_T]:
    """Starts all calls; see `TaskStarter.map`."""
    size = positive("chunksize", chunksize)
    deadline = None if timeout is None else monotonic() + timeout
    futures: list[PoolFuture[Any]] = []
    try:
        if size == 1:
            for args in zip(*iterables, strict=False):
                futures.append(start(fn, args, {}, options))
        else:
            all_of_chunk = CallInRow(fn)
            if len(iterables) == 1:
                rest = iter(iterables[0])
                while chunk := list(islice(rest, size)):
                    futures.append(start(all_of_chunk, (chunk,), {}, options))
            else:
                calls = zip(*iterables, strict=False)
                while rows := list(islice(calls, size)):
                    columns = tuple(zip(*rows, strict=True))
                    futures.append(start(all_of_chunk, columns, {}, options))
    except BaseException:
        _cancel(futures)
        raise
    futures.reverse()  # the next to be waited for is the last, and is forgotten then
    results = _results(futures, deadline)
    return results if size == 1 else _flatten(results)


def _results(futures: list[PoolFuture[_T]], deadline: float | None) -> Iterator[_T]:
    try:
        while futures:
            left = None if deadline is None else deadline - monotonic()
            yield _result_or_cancel(futures.pop(), left)
    finally:
        _cancel(futures)


def _result_or_cancel(future: PoolFuture[_T], timeout: float | None) -> _T:
    """In a function of its own, so that the iterator keeps no result that it has given away."""
    try:
        return future.result(timeout)
    except BaseException:
        future.cancel()
        raise
    finally:
        del future


def _flatten(chunks: Iterator[Any]) -> Iterator[Any]:
    try:
        for results, error in chunks:
            results.reverse()
            while results:
                yield results.pop()
            if error is not None:
                raise error
    finally:
        close: Callable[[], None] = chunks.close  # type: ignore[attr-defined]
        close()


def _cancel(futures: list[PoolFuture[Any]]) -> None:
    for future in futures:  # the last first, so that none is begun for it
        future.cancel()
