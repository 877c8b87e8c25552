"""TaskFuture: what submitting to a task group returns."""

from __future__ import annotations

import sys
from concurrent.futures import Future

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    _T = TypeVar("_T")


class TaskFuture(Future["_T"]):
    """The outcome of a task that may be cancelled while it runs: a concurrent.futures.Future that
    can be awaited, too. Any thread.

    `result()` and `exception()` also end at the cancellation of the scope, group or task that the
    caller is in, with CancelledError. `await` works under asyncio and trio; when it is cancelled,
    so is the task, unless it has begun.
    """

    def request_cancel(self) -> None:
        """Takes the task back or, if it has begun, asks it to end: see `current_task`."""
        raise NotImplementedError

    def kill_after(self, seconds: float) -> None:
        """Ends it by force if it still runs then, where that can be done: a worker process is
        killed and replaced, a thread goes on."""
        raise NotImplementedError

    def __await__(self) -> Generator[Any, None, _T]:
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_task():
            return self._await_in_trio(trio).__await__()
        from asyncio import wrap_future

        return wrap_future(self).__await__()

    async def _await_in_trio(self, trio: Any) -> _T:
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.done():
            token = trio.lowlevel.current_trio_token()
            done = trio.Event()

            def on_done(_: object) -> None:
                try:
                    token.run_sync_soon(done.set)
                except trio.RunFinishedError:
                    return  # nobody waits any more

            self.add_done_callback(on_done)
            try:
                await done.wait()
            except trio.Cancelled:
                self.cancel()
                raise
        return self.result()
