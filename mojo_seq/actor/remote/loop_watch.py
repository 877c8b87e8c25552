"""LoopWatch: an asyncio loop reads a connection's pipe for the coroutines that await there."""

from __future__ import annotations

import sys
import weakref

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from mojo_seq.actor.remote.pipe_reader import PipeReader

_MOST_VAIN = 8  # wake-ups for nothing, until the loop is left in peace


class LoopWatch:
    """So that an answer wakes one thread only, the one that it is for. Made, and all but `close`
    called, in the loop's thread. Kept by the reader and the loop; keeps neither.

    It is no more than the fast way: the loop may be blocked, stopped or closed at any time. Who
    waits in another way than by awaiting has the pipe watched by the I/O thread as ever.

    Args:
        reader: whose pipe.
        loop: runs here.

    Raises:
        MojoError: the pipe cannot be watched.
        NotImplementedError: this loop watches no descriptors.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_descriptor",
        "_expected",
        "_loop",
        "_reader",
        "_spins",
        "_vain",
    )

    def __init__(self, reader: PipeReader, loop: AbstractEventLoop) -> None:
        self._reader = weakref.ref(reader)
        self._loop = weakref.ref(loop)
        self._expected = 1  # messages, about: so many answers are awaited here
        self._vain = 0
        self._spins = False  # is about to
        self._closed = False
        self._descriptor = _core.ReadinessDescriptor(reader.pipe)
        loop.add_reader(self._descriptor.fileno(), self._on_readable)

    def expect(self, loop: AbstractEventLoop) -> bool:
        """One more answer is awaited there. False: it is not this loop that reads."""
        if self._closed or self._loop() is not loop:
            return False
        self._expected += 1
        if not self._spins and self._descriptor.wants_to_spin():
            self._spins = True
            loop.call_soon(self._spin)  # others may have something to do before
        return True

    def is_over(self) -> bool:
        """Nothing goes on on the loop any more, so that another may have its place."""
        loop = self._loop()
        return self._closed or loop is None or not loop.is_running()

    def _spin(self) -> None:
        self._spins = False
        if self._expected and not self._closed and self._descriptor.spin():
            self._read()

    def _on_readable(self) -> None:
        self._descriptor.on_woken()
        self._read()

    def _read(self) -> None:
        reader = self._reader()
        if reader is None or reader.lost or self._closed:
            self.close()
            return
        count = reader.read_on_loop()
        self._expected -= count
        if count and self._expected >= 0:
            self._vain = 0
            return
        # Somebody else reads, or it is others that the messages are for.
        self._expected = max(self._expected, 0)
        self._vain += 1
        if self._vain == _MOST_VAIN:
            self.close()
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
