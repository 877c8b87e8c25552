"""The thread that waits for the I/O of all SequenceEventLoops of the process."""

from __future__ import annotations

import atexit
import os
import select
import threading
import weakref
from contextlib import suppress

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

    _Notify = Callable[[], object]

_ARMED = select.EPOLLIN | select.EPOLLONESHOT


class SelectorThread:
    """Watches the epoll descriptor of each loop that uses I/O, itself in an epoll.

    A loop that is ready is told so once; it polls its own epoll on its sequence and then arms
    itself again. The thread ends when the last loop has left. A daemon, since the interpreter
    waits for others before it lets anybody end them; it is joined at exit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notify: dict[int, weakref.WeakMethod[_Notify]] = {}  # _lock
        self._ending = False  # _lock
        self._epoll = select.epoll()
        try:
            self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._epoll.register(self._wakeup, select.EPOLLIN)
        except OSError:
            self._epoll.close()
            raise
        self._thread = threading.Thread(target=self._run, name="mojo_seq-selector", daemon=True)

    def start(self) -> None:
        """To be called once; what it raises leaves nothing behind."""
        try:
            self._thread.start()
        except BaseException:
            self.close_descriptors()
            raise

    def add(self, fd: int, notify: _Notify) -> bool:
        """Watches a descriptor. `notify`, a method that is referred to weakly, is called on this
        thread. False if the thread is about to end."""
        with self._lock:
            if self._ending:
                return False
            self._epoll.register(fd, _ARMED)
            self._notify[fd] = weakref.WeakMethod(notify)
            return True

    def arm(self, fd: int) -> None:
        """Notifies once more."""
        with self._lock:
            if fd in self._notify and not self._ending:
                self._epoll.modify(fd, _ARMED)

    def remove(self, fd: int) -> None:
        """Forgets a descriptor, which must still be open."""
        with self._lock:
            if self._notify.pop(fd, None) is None or self._ending:
                return
            self._epoll.unregister(fd)
            if not self._notify:
                self._end()

    def _end(self) -> None:
        self._ending = True
        os.eventfd_write(self._wakeup, 1)

    def end(self) -> None:
        """Ends the thread and waits for that."""
        with self._lock:
            if not self._ending:
                self._end()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for fd, _events in self._epoll.poll():
                with self._lock:
                    if self._ending:
                        self.close_descriptors()
                        return
                    found = self._notify.get(fd)
                notify = found() if found is not None else None
                if notify is not None:
                    with suppress(_core.ShutdownError):  # nothing runs there any more
                        notify()
                notify = None  # or the next wait would keep the loop

    def close_descriptors(self) -> None:
        """When the thread does not wait on them: at its end, or in a forked process."""
        self._epoll.close()
        wakeup, self._wakeup = self._wakeup, -1
        if wakeup != -1:
            os.close(wakeup)

    def abandon(self) -> None:
        """In a forked child, which has no such thread, and maybe a lock that is never released.
        The epoll is the parent's, too: what is registered there stays."""
        self._lock = threading.Lock()
        self._ending = True
        self.close_descriptors()


class _Process:
    """The thread of this process, as long as a loop needs it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread: SelectorThread | None = None
        self.registered = False

    def watch(self, fd: int, notify: _Notify) -> SelectorThread:
        """Adds a descriptor to the thread, and starts it if there is none."""
        with self.lock:
            if self.thread is not None and self.thread.add(fd, notify):
                return self.thread
            if not self.registered:
                atexit.register(self.at_exit)
                self.registered = True
            thread = SelectorThread()
            thread.add(fd, notify)
            thread.start()
            self.thread = thread
            return thread

    def at_exit(self) -> None:
        thread = self.thread
        if thread is not None:
            thread.end()

    def after_fork(self) -> None:
        """In the child."""
        thread, self.thread = self.thread, None
        self.lock = threading.Lock()
        if thread is not None:
            thread.abandon()


_process = _Process()
os.register_at_fork(after_in_child=_process.after_fork)
watch = _process.watch
