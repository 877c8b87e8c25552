"""LoopWatch: an asyncio loop reads a connection's pipe for the coroutines that await there."""

from __future__ import annotations

import sys

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from mojo_seq.actor.remote.pipe_reader import PipeReader


class LoopWatch(_core.LoopWatchBase):
    """So that an answer wakes one thread only, the one that it is for. Made, and all but `close`
    called, in the loop's thread. Kept by the reader and the loop; keeps neither.

    It is no more than the fast way: the loop may be blocked, stopped or closed at any time. Who
    waits in another way than by awaiting has the pipe watched by the I/O thread as ever.

    Where answers come soon the loop looks for them awake, before it sleeps; the other side need not
    wake it meanwhile.

    Args:
        reader: whose pipe.
        loop: runs here.

    Raises:
        MojoError: the pipe cannot be watched.
        NotImplementedError: this loop watches no descriptors.
    """

    def __init__(self, reader: PipeReader, loop: AbstractEventLoop) -> None:
        super().__init__(reader, loop)
        loop.add_reader(self._descriptor.fileno(), self._on_readable)
        loop.call_soon(self._read)  # what is here already, the descriptor does not tell of

    def is_over(self) -> bool:
        """Nothing goes on on the loop any more, so that another may have its place."""
        loop = self._loop()
        return self._closed or loop is None or not loop.is_running()

    def _leave(self, reader: PipeReader) -> None:
        reader.on_loop_left()

    def close(self) -> None:
        """Leaves the loop alone; nothing happens the second time. Any thread."""
        if self._closed:
            return
        self._closed = True
        loop = self._loop()
        if loop is None or loop.is_closed():
            return
        if _runs_here(loop) or not loop.is_running():
            self._remove()
            return
        try:
            loop.call_soon_threadsafe(self._remove)
        except RuntimeError:
            return  # it was closed just now, and its selector with it

    def _remove(self) -> None:
        """The descriptor stays open until the loop has forgotten it, so that its number cannot be
        somebody else's by then."""
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._descriptor.fileno())


def _runs_here(loop: AbstractEventLoop) -> bool:
    return sys.modules["asyncio"]._get_running_loop() is loop


def can_read(loop: AbstractEventLoop) -> bool:
    """Whether a loop watches descriptors in its own thread: one on a sequence would be woken by
    another."""
    on_sequences = sys.modules.get("mojo_seq.sequence.threadless_event_loop")
    return on_sequences is None or not isinstance(loop, on_sequences.ThreadlessEventLoop)
