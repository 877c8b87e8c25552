"""AsyncioTaskRunner: a sequence on an asyncio event loop."""

from __future__ import annotations

import threading
import weakref

from mojo_seq import _core
from mojo_seq.sequence.task_runner import SequencedTaskRunner

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle


class AsyncioTaskRunner(_core.FdSequence, SequencedTaskRunner):
    """Runs tasks as callbacks of an asyncio event loop (uvloop too), in its thread.

    Posting from other threads takes no lock of asyncio and no GIL: the loop watches a descriptor.
    The runner lives as long as it is referenced or has tasks of its loop to run; `close()` ends
    it at once.

    Args:
        loop: the event loop; None: the running one. To be made in the loop's thread, or before
            the loop runs.

    Raises:
        RuntimeError: no loop is given and none is running.
        ResourceExhaustedError: no descriptor left.
    """

    def __init__(self, loop: AbstractEventLoop | None = None) -> None:
        if loop is None:
            from asyncio import get_running_loop

            loop = get_running_loop()
        # Keeps the runner while it has tasks; kept by the loop's reader, and gone with the loop.
        held: list[AsyncioTaskRunner] = []
        super().__init__(loop.is_closed, held)
        self._loop = loop
        self._held_by_loop = held
        self._timer: TimerHandle | None = None
        runner = weakref.ref(self)

        def on_readable(_kept: list[AsyncioTaskRunner] = held) -> None:
            alive = runner()
            if alive is not None:
                alive._run_ready()

        descriptor = self.descriptor()
        loop.add_reader(descriptor.fileno(), on_readable)
        self._finalizer = weakref.finalize(
            self, _stop_watching, loop, threading.get_ident(), descriptor
        )
        self._finalizer.atexit = False

    def _run_ready(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        delay = self.run_ready()
        if delay is not None:
            self._timer = self._loop.call_later(delay, self._run_ready)

    def close(self) -> None:
        """Refuses new tasks; queued and delayed ones are skipped, their futures cancelled.

        To be called in the loop's thread, or when the loop does not run.
        """
        super().close()
        self._held_by_loop.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._finalizer()


def _stop_watching(
    loop: AbstractEventLoop, thread: int, descriptor: _core._WakeupDescriptor
) -> None:
    """On whatever thread the runner died. The descriptor stays open until the loop forgot it, so
    that its number cannot be somebody else's by then."""
    if loop.is_closed():
        return
    if threading.get_ident() == thread or not loop.is_running():
        loop.remove_reader(descriptor.fileno())
        return
    try:
        loop.call_soon_threadsafe(lambda: loop.remove_reader(descriptor.fileno()))
    except RuntimeError:
        return  # the loop was closed just now, and its selector with it
