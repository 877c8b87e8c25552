"""AsyncioHost: scopes in a task of asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mojo_seq.sequence.event_loop_host import EventLoopHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.sequence.cancellation import Cancellation


class _Entry:
    """A scope that the task is in."""

    __slots__ = ("cancelling", "delivered", "node", "timer")

    def __init__(self, node: Cancellation, cancelling: int) -> None:
        self.node = node
        self.cancelling = cancelling
        """How often others had cancelled the task before."""
        self.delivered = 0
        """How often it was cancelled for this scope."""
        self.timer: asyncio.Handle | None = None


class AsyncioHost(EventLoopHost):
    """All scopes that one task of asyncio is in.

    While one of them is cancelled, the task is cancelled wherever it waits, again and again, as
    trio does it by itself: a task that goes on in spite of it gets no further than to its next
    `await`.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self._loop = task.get_loop()
        self._entries: list[_Entry] = []
        self._paused = 0
        self._again: asyncio.Handle | None = None

    def enter(self, node: Cancellation) -> None:
        entry = _Entry(node, self.task.cancelling())
        # The timers of outer scopes are those of their own entries, if they are of this task.
        is_first = not self._entries
        self._entries.append(entry)
        if is_first or node._own_deadline is not None:
            self._look(entry)
        node.listen(self, self.wake)

    def _look(self, entry: _Entry) -> None:
        """Whether the time is up; else, when to look again."""
        if not entry.node.is_cancelled():
            seconds = entry.node.next_look()
            if seconds is not None:
                entry.timer = self._loop.call_later(seconds, self._look, entry)

    def wake(self) -> None:
        """A scope may have been cancelled. Any thread."""
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _deliver_soon(self) -> None:
        if any(entry.node._fired for entry in self._entries):
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        """Cancels the task, for the outermost scope that is cancelled and not shielded from. The
        task is suspended."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        shields = (number for number, each in enumerate(self._entries) if each.node._shields)
        first = max(shields, default=0)
        cancelled = [entry for entry in self._entries[first:] if entry.node.is_cancelled()]
        if not cancelled or self._paused or self.task.done():
            return
        task: Any = self.task
        waiter = task._fut_waiter
        if not task._must_cancel and (waiter is None or not waiter.done()):
            cancelled[0].delivered += 1
            task.cancel()
        self._again = self._loop.call_soon(self._deliver)

    def leave(
        self, node: Cancellation, error: BaseException | None
    ) -> tuple[BaseException | None, bool]:
        entry = next(each for each in reversed(self._entries) if each.node is node)
        self._entries.remove(entry)
        node.unlisten(self)
        if entry.timer is not None:
            entry.timer.cancel()
        if not self._entries:
            if self._again is not None:
                self._again.cancel()
                self._again = None
        elif node._shields:
            self._deliver_soon()
        cancelling = self.task.cancelling()
        for _ in range(entry.delivered):
            cancelling = self.task.uncancel()
        return error, cancelling <= entry.cancelling

    async def wait(
        self,
        is_over: Callable[[], bool],
        on_news: Callable[[Callable[[], None]], None],
        cancel: Callable[[], None],
    ) -> BaseException | None:
        outside: BaseException | None = None
        self._paused += 1
        try:
            while True:
                news = self._loop.create_future()
                on_news(lambda news=news: self._tell(news))  # type: ignore[misc]
                if is_over():
                    return outside
                try:
                    await news
                except asyncio.CancelledError as error:
                    outside = error
                    cancel()
        finally:
            self._paused -= 1
            self._deliver_soon()
            del outside  # which refers to this frame

    def _tell(self, news: asyncio.Future[None]) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, news)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def new_error(self) -> BaseException | None:
        return asyncio.CancelledError()

    def put_off(self, error: BaseException) -> list[BaseException]:
        if self.task.cancelling():  # raised at the next `await`, as by asyncio's own groups
            self.task.uncancel()
            self.task.cancel()
        return []


def _settle(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
