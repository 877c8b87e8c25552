"""Bell: wakes the one that waits for something to change, be it a thread or a task of a loop."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from mojo_seq import _core
from mojo_seq.aio import in_trio_task

if TYPE_CHECKING:
    from collections.abc import Callable


class Bell:
    """Rung by any thread, also by a finalizer; one waits at a time, in a thread or in a task of
    asyncio or trio. Ringing while nobody waits makes the next wait return at once."""

    __slots__ = ("_lock", "_rung", "_wake")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung = False
        self._wake: Callable[[], object] | None = None

    def ring(self, *_: object) -> None:
        """Whatever it is called with: it is a callback of futures."""
        with self._lock:
            wake, self._wake = self._wake, None
            self._rung = wake is None
        if wake is not None:
            wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks this thread. Ctrl-C ends it.

        Returns:
            False: it was not rung within so many seconds.
        """
        event = _core.WaitableEvent()
        if not self._expect(event.signal):
            return True
        try:
            return event.wait(timeout)
        finally:
            self._wake = None

    async def wait_async(self) -> None:
        """Suspends this task."""
        if in_trio_task():
            await self._wait_in_trio()
        else:
            await self._wait_in_asyncio()

    def _expect(self, wake: Callable[[], object]) -> bool:
        """Has `wake` called by the next ring. False if it has rung since the last wait."""
        with self._lock:
            if self._rung:
                self._rung = False
                return False
            self._wake = wake
            return True

    async def _wait_in_asyncio(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            with suppress(RuntimeError):  # the loop was closed, with the task in it
                loop.call_soon_threadsafe(settle)

        if not self._expect(wake):
            return
        try:
            await future
        finally:
            self._wake = None

    async def _wait_in_trio(self) -> None:
        import trio

        await trio.lowlevel.checkpoint_if_cancelled()
        token = trio.lowlevel.current_trio_token()
        event = trio.Event()

        def wake() -> None:
            with suppress(trio.RunFinishedError):  # nobody waits any more
                token.run_sync_soon(event.set)

        if not self._expect(wake):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        try:
            await event.wait()
        finally:
            self._wake = None
