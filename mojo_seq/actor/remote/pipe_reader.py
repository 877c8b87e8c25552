"""PipeReader: who reads a connection's pipe at the moment."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from time import monotonic

from mojo_seq import _core
from mojo_seq.actor.remote.io_thread import io_thread
from mojo_seq.actor.remote.loop_watch import LoopWatch, can_read
from mojo_seq.watch import SimpleWatcher

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.actor.remote.serving_thread import ServingThread as StandIn
    from mojo_seq.system import Message, MessagePipeHandle, Result, SignalsState

logger = logging.getLogger("mojo_seq.actor")

_SOON = 0.003
_LATER = 0.02  # where threads come to lead all the time
_MOST_MESSAGES = 64  # at one crossing
_READABLE = _core.Signals.READABLE


# For threads with other pipes to care for, when they wait for long.
_stand_ins: dict[int, StandIn] = {}
_SHORTLY = 0.0002


def set_stand_in(stand_in: StandIn | None) -> None:
    """To be called by such a thread at its begin, and with None at its end."""
    if stand_in is None:
        _stand_ins.pop(threading.get_ident(), None)
    else:
        _stand_ins[threading.get_ident()] = stand_in


# Of all readers. They are closed by their readers, and so must not be collected before those.
_open: dict[int, MessagePipeHandle] = {}


class PipeReader:
    """Reads a pipe's messages in order, one thread at a time, whichever that is.

    A thread that waits for a certain message waits on the pipe itself (`lead`), for it is woken
    much faster than by way of another thread; and so an asyncio loop that waits for one watches the
    pipe itself (LoopWatch). Otherwise the I/O thread does it, while `needs_watch`
    says that somebody cares: at once after `watch`, or, as watching a pipe and ceasing to is dear,
    within a moment after `watch_soon`. Subclasses say what is done with the messages. Any thread.

    Args:
        pipe: belongs to the reader from now on.
    """

    def __init__(self, pipe: MessagePipeHandle) -> None:
        self.pipe = pipe
        self.lost = False  # nothing will come any more
        self._inbox: deque[Message] = deque()  # _reading: read and not handled
        self._reading = threading.RLock()
        self._state = threading.Lock()
        self._leader = 0  # _state: the thread that waits on the pipe
        self._followed = False  # others wait for what the leader will not wait for
        self._watching = False  # _state
        self._closed = False  # _state
        self._turns = 0  # how often a thread has led
        self._seen_turns = 0
        self._ticking = False
        self._received = 0  # messages
        self._readers = 0  # _reading: calls of `read` on the stack of the thread that is at it
        self._loop_watch: LoopWatch | None = None  # _state
        self._process = os.getpid()
        _open[id(self)] = pipe
        self._io = io_thread.acquire()
        self._watcher = SimpleWatcher(task_runner=self._io)

    def on_message(self, message: Message) -> None:
        """Called with each message, on the thread that has read it."""
        raise NotImplementedError

    def on_other(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        """A kind of message that only some of those at the other end send."""
        for each in handles:
            each.close()

    def on_lost(self) -> None:
        """Called once, when nothing will come any more."""
        raise NotImplementedError

    def needs_watch(self) -> bool:
        """Whether the pipe is to be read when something comes."""
        raise NotImplementedError

    def must_watch(self) -> bool:
        """Whether those who wait in another way than by leading may be waiting still."""
        return self.needs_watch()

    def read(self) -> bool:
        """Reads and handles what there is, for a while. False: nothing will come any more."""
        with self._reading:
            self._readers += 1
            try:
                if not self._read():
                    return not self.lost
            finally:
                self._readers -= 1
        if self.lost:
            self.unwatch()
            self.on_lost()
        return not self.lost

    def _read(self) -> bool:
        """False: it was told before that nothing will come any more, or something cannot be read
        now."""
        inbox = self._inbox
        if inbox:
            self._handle_inbox()
        if self.lost:
            return False
        try:
            while True:
                batch = self.pipe.read_batch()
                self._received += len(batch)
                inbox.extend(batch)
                self._handle_inbox()
                if len(batch) < _MOST_MESSAGES:
                    return True
        except _core.ResourceExhaustedError:
            return False  # no room for descriptors
        except _core.MojoError:  # closed at the other end, or here
            self.lost = True
            return True

    def _handle_inbox(self) -> None:
        # What handling a message sets off may read more here, on the same stack.
        inbox = self._inbox
        while inbox:
            try:
                self.on_message(inbox.popleft())
            except Exception:
                logger.exception("a message of another process made no sense, and was dropped")

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
        if watch is not None and watch.expect(loop):
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
        with self._state:
            self._watching = False
            self._watcher.cancel()
        self.watch_soon()
        self.read_on_loop()  # what it has taken in, the loop does not hear of

    def read_on_loop(self) -> int:
        """In the thread of a loop, which must not be blocked, when something has come. Returns how
        many messages were read; 0: another thread is at it."""
        if self._leader or not self._reading.acquire(blocking=False):
            return 0
        try:
            self._turns += 1
            before = self._received
            self.read()
            if self._followed and not self.must_watch():
                self._followed = False
                self._followed = self.must_watch()  # by who came just now
            return self._received - before
        finally:
            self._reading.release()

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

    def lead(self, done: Callable[[], bool], timeout: float | None) -> None:
        """Waits on the pipe and handles what comes, until `done()` or for so many seconds.

        Returns at once if another thread does that.
        """
        thread = threading.get_ident()
        with self._state:
            if self._leader not in (0, thread):
                self._followed = True
                return
            outer, self._leader = self._leader, thread
            if self._watching:
                self._watching = False
                self._watcher.cancel()
        deadline = None if timeout is None else monotonic() + timeout
        try:
            if self._readers:
                with self._reading:
                    pass  # what another thread has read is handled: `done` knows of it
            stand_in = _stand_ins.get(thread)
            stood_in: StandIn | None = None
            while not done():
                left = None if deadline is None else deadline - monotonic()
                if stand_in is not None and (left is None or left > _SHORTLY):
                    if not _core.wait_until_readable(self.pipe, _SHORTLY):
                        stand_in.begin()
                        stood_in, stand_in = stand_in, None
                        continue
                elif not _core.wait_until_readable(self.pipe, left):
                    break
                if not self.read():
                    break
            if stood_in is not None:
                stood_in.end()
        except _core.InvalidArgumentError:
            return  # closed here
        except BaseException:  # Ctrl-C
            self._followed = True  # by those for whom something was taken in just now
            raise
        finally:
            self._turns += 1
            with self._state:
                self._leader = outer
                if self._followed:
                    self._followed = self.must_watch()
                    self._watch_if_needed()
            if not self._ticking and self.needs_watch():
                self.watch_soon()

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
