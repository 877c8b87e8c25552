"""TrioHost: a scope in a task of trio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from mojo_seq import _core
from mojo_seq.sequence.event_loop_host import EventLoopHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.sequence.cancellation import Cancellation


class TrioHost(EventLoopHost):
    """One scope, with a real one of trio inside it, which does all that trio can do by itself."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._token = trio.lowlevel.current_trio_token()
        self._left = False

    def enter(self, node: Cancellation) -> None:
        self._scope.shield = node._shields
        self._scope.__enter__()
        if node.is_cancelled():
            self._scope.cancel()
            return
        deadline = node.deadline
        if deadline is not None:
            self._scope.deadline = trio.current_time() + deadline - _core.monotonic()
        node.listen(self, self.wake)
        if node.poll_interval() is not None:
            trio.lowlevel.spawn_system_task(self._poll, node)

    async def _poll(self, node: Cancellation) -> None:
        """Nobody tells of the cancellation of a task in a worker process."""
        while not self._left and not node.is_cancelled():
            await trio.sleep(node.next_look() or 0)

    def wake(self) -> None:
        """The scope was cancelled. Any thread."""
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self._token:
            self._scope.cancel()
            return
        try:
            self._token.run_sync_soon(self._scope.cancel)
        except trio.RunFinishedError:
            return  # with the task in it

    def leave(
        self, node: Cancellation, error: BaseException | None
    ) -> tuple[BaseException | None, bool]:
        self._left = True
        node.unlisten(self)
        traceback = None if error is None else error.__traceback__
        try:
            taken = self._scope.__exit__(None if error is None else type(error), error, traceback)
        except BaseException as left:
            return left, True
        if self._scope.cancelled_caught and not node.is_cancelled():
            node.time_out()  # trio has a clock of its own
        # What trio leaves of its own is for outer scopes of trio.
        return None if taken else error, not isinstance(error, trio.Cancelled)

    async def wait(
        self,
        is_over: Callable[[], bool],
        on_news: Callable[[Callable[[], None]], None],
        cancel: Callable[[], None],
    ) -> BaseException | None:
        outside: BaseException | None = None
        shield = trio.CancelScope()
        with shield:
            while True:
                news = trio.Event()
                on_news(lambda news=news: self._tell(news))  # type: ignore[misc]
                if is_over():
                    break
                try:
                    await news.wait()
                except trio.Cancelled as error:
                    outside = error
                    cancel()
                    shield.shield = True
        await trio.lowlevel.cancel_shielded_checkpoint()
        try:
            return outside
        finally:
            del outside  # which refers to this frame

    def _tell(self, news: trio.Event) -> None:
        try:
            self._token.run_sync_soon(news.set)
        except trio.RunFinishedError:
            return
