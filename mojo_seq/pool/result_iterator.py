"""ResultIterator: results that come from workers, for `for` and for `async for`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mojo_seq import _core
from mojo_seq.aio import checkpoint
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled

if TYPE_CHECKING:
    from typing import Never, Self

    from mojo_seq.pool.bell import Bell

T_co = TypeVar("T_co", covariant=True)

PENDING: Any = object()
"""In the place of an item that is still being made."""


class ResultIterator(ABC, Generic[T_co]):
    """What `imap`, `imap_unordered` and `stream` return: an iterator, and an async iterator under
    asyncio and trio.

    An exception of a task is raised in its place. Ending early ends the tasks: by `close()`, by
    leaving a `with` or `async with` block, or by dropping the iterator, as `break` in a loop does.
    Only one thread or task may iterate at a time; `close` can be called by any.

    Args:
        bell: rings when there may be something new to be polled.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._busy = False

    # --- what there is to be done ---

    @abstractmethod
    def _poll(self) -> T_co:
        """The next item, or PENDING.

        Raises:
            StopIteration: there are no more.
            Exception: that of a task.
        """

    def _must_wait(self) -> bool:
        """Whether to wait for the bell, after a poll that found nothing."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Ends what still runs; there are no more items. Does not wait. Nothing happens the second
        time, nor after the last item."""

    # --- for threads ---

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        return self.next()

    def next(self, timeout: float | None = None) -> T_co:
        """The next item.

        Args:
            timeout: how many seconds to wait for it; None: as long as it takes.

        Raises:
            StopIteration: there are no more.
            DeadlineExceededError: there was none in that time. The next call waits for the same.
            CancelledError: the task, group or scope that the caller is in is cancelled.
            RuntimeError: another thread or task is just iterating.
            Exception: whatever the task has raised.
        """
        end = None if timeout is None else _core.monotonic() + timeout
        self._check_free()
        try:
            self._busy = True
            while (item := self._poll()) is PENDING:
                if self._must_wait():
                    self._wait(end)
            return item
        finally:
            self._busy = False

    def _wait(self, end: float | None) -> None:
        node = innermost()
        if node is None:
            if not self._bell.wait(None if end is None else end - _core.monotonic()):
                raise _core.DeadlineExceededError("the next result did not come in time")
            return
        key = object()
        node.listen(key, self._bell.ring)
        try:
            raise_if_cancelled(node)
            if not self._bell.wait(node.next_look(end)) and end is not None:
                raise_if_cancelled(node)
                if _core.monotonic() >= end:
                    raise _core.DeadlineExceededError("the next result did not come in time")
        finally:
            node.unlisten(key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- for event loops ---

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        """The next item; being cancelled loses none."""
        self._check_free()
        try:
            self._busy = True
            await checkpoint()
            while (item := self._poll()) is PENDING:
                if self._must_wait():
                    await self._bell.wait_async()
            return item
        except StopIteration:
            raise StopAsyncIteration from None
        finally:
            self._busy = False

    async def aclose(self) -> None:
        """The same as `close`, under the name that async iterators have for it."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    # --- and for all ---

    def _check_free(self) -> None:
        if self._busy:
            raise RuntimeError("another thread or task is just waiting for the next result")

    def __del__(self) -> None:
        with suppress(AttributeError):  # of one that was never quite made
            self.close()

    def __reduce__(self) -> Never:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled")
