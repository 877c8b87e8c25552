"""PipeReader: who reads a connection's pipe at the moment."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque

from mojo_seq import _core
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.io_thread import io_thread
from mojo_seq.actor.remote.loop_watch import LoopWatch, can_read
from mojo_seq.watch import SimpleWatcher

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from typing import Any

    from mojo_seq.system import Message, MessagePipeHandle, Result, SignalsState

logger = logging.getLogger("mojo_seq.actor")

_SOON = 0.003
_LATER = 0.02  # where threads come to lead all the time
_READABLE = _core.Signals.READABLE


# Of all readers. They are closed by their readers, and so must not be collected before those.
_open: dict[int, MessagePipeHandle] = {}


class PipeReader(_core.PipeReaderBase):
    """Reads a pipe's messages in order, one thread at a time, whichever that is.

    A thread that waits for a certain message waits on the pipe itself (`lead`), for it is woken
    much faster than by way of another thread; and so an asyncio loop that waits for one watches the
    pipe itself (LoopWatch). Otherwise the I/O thread does it, while `needs_watch`
    says that somebody cares: at once after `watch`, or, as watching a pipe and ceasing to is dear,
    within a moment after `watch_soon`. Subclasses say what is done with the messages. Any thread.

    What every message takes is in the core: `read`, `lead`, and these fields.
    lost: nothing will come any more; _inbox: what is read and not handled; _leader: the thread that
    waits on the pipe; _followed: others wait for what the leader will not wait for; _turns: how
    often a thread has led; _readers: calls of `read` on the stack of the thread that is at it.

    Args:
        pipe: belongs to the reader from now on.
        more: for the core.
    """

    def __init__(self, pipe: MessagePipeHandle, *more: Any) -> None:
        super().__init__(pipe, threading.RLock(), threading.Lock(), deque(), *more)
        self._closed = False  # _state
        self._process = os.getpid()
        _open[id(self)] = pipe
        self._io = io_thread.acquire()
        self._watcher = SimpleWatcher(task_runner=self._io)

    def on_message(self, message: Message) -> None:
        parts = wire.take_apart(message)
        if parts is not None:
            self.on_parts(*parts)

    def on_other(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        """A kind of message that only some of those at the other end send."""
        for each in handles:
            each.close()

    def must_watch(self) -> bool:
        """Whether those who wait in another way than by leading may be waiting still."""
        return self.needs_watch()

    def watch(self) -> None:
        """To be called when `needs_watch` may have become True."""
        if self._watching or self._leader or self.lost:
            return
        with self._state:
            self._watch_if_needed()

    def attend(self, loop: AbstractEventLoop | None = None) -> None:
        """What a Reply calls its waiter for: somebody waits in another way than by leading; in
        `loop`, if it runs here."""
        if loop is None or self._leader or not self._attend_on(loop):
            self._followed = True
            self.watch()

    def _attend_on(self, loop: AbstractEventLoop) -> bool:
        """False: not this loop is going to read."""
        watch = self._loop_watch
        if watch is not None and watch.expect(loop, self._watching):
            if self._watching and not self._followed:
                self._leave_to_loop()
            return True
        with self._state:
            watch = self._loop_watch
            if self.lost or not can_read(loop) or (watch is not None and not watch.is_over()):
                return False
            try:
                self._loop_watch = LoopWatch(self, loop)
            except (_core.MojoError, NotImplementedError):
                return False
        if watch is not None:
            watch.close()
        return True

    def _leave_to_loop(self) -> None:
        """The I/O thread need not watch, which it did because an answer took long."""
        self._begin_stay()
        self.read_on_loop()  # what it has taken in, the loop does not hear of

    def on_loop_left(self) -> None:
        """The loop does not read any more; there may be somebody who awaits yet."""
        self._followed = True
        self.watch()

    def watch_soon(self) -> None:
        """The same when it is likely that a thread is about to lead."""
        if not (self._ticking or self._watching or self.lost):
            self._tick_after(_SOON)

    def _tick_after(self, delay: float) -> None:
        self._ticking = True
        self._seen_turns = self._turns
        self._io.post_delayed_task(delay, _Tick(self))

    def _tick(self) -> None:
        """On the I/O thread: has nobody come to lead in all that time?"""
        with self._state:
            self._ticking = False
            if self._turns == self._seen_turns:
                self._watch_if_needed()
                return
        if not (self._watching or self.lost):
            self._tick_after(_LATER)

    def _watch_if_needed(self) -> None:
        if self._watching or self._leader or self.lost or not self.needs_watch():
            return
        self._watching = True
        try:
            self._watcher.watch(self.pipe, _READABLE, _Notified(self))
        except _core.InvalidArgumentError:
            self._watching = False  # another thread noticed the end, and has just closed it

    def unwatch(self) -> None:
        """Ends the watch."""
        with self._state:
            self._watching = False
            self._watcher.cancel()
            watch, self._loop_watch = self._loop_watch, None
        if watch is not None:
            watch.close()

    def on_readable(self) -> None:
        """On the I/O thread."""
        with self._reading:
            if not self._watching or not self.read():
                return  # a thread has begun to lead
        with self._state:
            if not self._watching or self.needs_watch():
                return
            self._watching = False
            if self.needs_watch():
                self._watching = True  # who came just now saw that it is watched
            else:
                self._watcher.cancel()
                self._watch_if_needed()  # an answer that the watch had taken in is heard of by it

    def _begin_to_lead(self, thread: int) -> int | None:
        with self._state:
            if self._leader not in (0, thread):
                self._followed = True
                return None
            outer, self._leader = self._leader, thread
            if self._watching:
                self._watching = False
                self._watcher.cancel()
        return outer

    def _end_to_lead(self, outer: int) -> None:
        with self._state:
            self._leader = outer
            if self._followed:
                self._followed = self.must_watch()
                self._watch_if_needed()

    def _begin_stay(self) -> None:
        with self._state:
            self._watching = False
            self._watcher.cancel()
        self.watch_soon()

    def _end_stay(self) -> None:
        with self._state:
            self._followed = self.must_watch()
            if self._followed:
                self._watch_if_needed()

    def close(self) -> None:
        """Closes the pipe; nothing happens the second time. Nothing more is told."""
        self.lost = True
        with self._state:
            if self._closed:
                return
            self._closed = True
        if self._process == os.getpid():
            self.unwatch()
            io_thread.release(self._process)
        self.pipe.close()
        _open.pop(id(self), None)

    def __del__(self) -> None:
        if hasattr(self, "_watcher"):
            self.close()


class _Tick:
    """A task of the I/O thread; keeps the reader from nothing either."""

    __slots__ = ("_reader",)

    def __init__(self, reader: PipeReader) -> None:
        self._reader = weakref.ref(reader)

    def __call__(self) -> None:
        reader = self._reader()
        if reader is not None:
            reader._tick()


class _Notified:
    """The callback of the watcher, which keeps the reader from nothing."""

    __slots__ = ("_reader",)

    def __init__(self, reader: PipeReader) -> None:
        self._reader = weakref.ref(reader)

    def __call__(self, result: Result, state: SignalsState) -> None:
        reader = self._reader()
        if reader is not None and result is not _core.Result.CANCELLED:
            reader.on_readable()


def _close_all() -> None:
    for pipe in list(_open.values()):
        pipe.close()
    _open.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_open.clear)
