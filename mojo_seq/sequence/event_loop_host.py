"""EventLoopHost: how a scope that is entered in a task of an event loop gets at that task."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod

from mojo_seq.sequence.cancellation import Cancellation

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable


class EventLoopHost(ABC):
    """Brings cancellations to one task of asyncio or trio. Of the task's thread, but for `wake`."""

    @abstractmethod
    def enter(self, node: Cancellation) -> None:
        """The task enters a scope."""

    @abstractmethod
    def leave(
        self, node: Cancellation, error: BaseException | None
    ) -> tuple[BaseException | None, bool]:
        """It leaves the scope, which is the last that it has entered.

        Returns:
            (error, bool): the error, or what is left of it when the event loop has taken out what
            it has raised for the scope; and whether the scope may take errors of cancellation:
            False if the task was cancelled by others, too.
        """

    @abstractmethod
    async def wait(
        self,
        is_over: Callable[[], bool],
        on_news: Callable[[Callable[[], None]], None],
        cancel: Callable[[], None],
    ) -> BaseException | None:
        """Waits for the end of a group, whatever happens.

        Args:
            is_over: whether it has come.
            on_news: is given a function to be called, on any thread, whenever that may have
                changed.
            cancel: called when somebody cancels the task meanwhile.

        Returns:
            BaseException: what this was, to be raised in the end.
        """

    def new_error(self) -> BaseException | None:
        """What a cancelled wait would have raised in this task, for outer scopes; None: nothing
        that could be made here."""
        return None

    def put_off(self, error: BaseException) -> list[BaseException]:
        """What cancels the task is not raised now, since there are other errors, which go first.

        Returns:
            list: it, if it is to be raised with them, or nothing: it will be raised again.
        """
        return [error]


def find_host(parent: Cancellation | None) -> EventLoopHost | None:
    """For a scope that is being entered: the host for the running task, which may be that of an
    outer scope; None: no task of an event loop runs here."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from mojo_seq.sequence.trio_host import TrioHost

        return TrioHost()
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    task = asyncio.current_task()
    if task is None:
        return None
    from mojo_seq.sequence.asyncio_host import AsyncioHost

    while parent is not None:
        if isinstance(parent.host, AsyncioHost):
            if parent.host.task is task:
                return parent.host
            break
        parent = parent._parent
    return AsyncioHost(task)
