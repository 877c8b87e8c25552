"""StderrTee: takes the standard error of worker processes, passes it on and remembers its end."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from contextlib import suppress

from mojo_seq import _core

_LINES = 20
_LONGEST_LINE = 2000
_CHUNK = 65536
_STDERR = 2
_MOMENT = 0.25
_LAST_MOMENTS = 1.0


class StderrTail:
    """The last lines that one process wrote. Any thread; read by the tee's.

    Args:
        tee: whose it is.
        fd: to be read from; belongs to the tail from now on.
    """

    def __init__(self, tee: StderrTee, fd: int) -> None:
        self._tee = tee
        self._fd = fd
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque(maxlen=_LINES)  # _lock
        self._begun = b""  # _lock: a line without its end

    def read(self) -> bool:
        """Passes on what there is. False: nothing will come any more."""
        try:
            chunk = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        with self._lock:
            *lines, begun = (self._begun + chunk).split(b"\n")
            self._lines.extend(line[-_LONGEST_LINE:] for line in lines)
            self._begun = begun[-_LONGEST_LINE:]
        _pass_on(chunk)
        return bool(chunk)

    def drain(self) -> None:
        """Waits a moment until all was read that was written until now. Not until its end: children
        of the process may have the other end, too."""
        self._tee.await_read(self._fd, self)

    def text(self) -> str:
        """The lines, the last being perhaps without its end."""
        with self._lock:
            lines = [*self._lines, self._begun] if self._begun else list(self._lines)
        return b"\n".join(lines[-_LINES:]).decode("utf-8", "replace")

    def close(self) -> None:
        """To be called once."""
        os.close(self._fd)


def _pass_on(chunk: bytes) -> None:
    """To our own standard error, where it would have gone without us."""
    with suppress(OSError):  # there may be none
        while chunk:
            chunk = chunk[os.write(_STDERR, chunk) :]


class StderrTee:
    """Reads on a thread of its own, from the first process on. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tails: dict[int, StderrTail] = {}  # _lock
        self._waiting: list[tuple[int, threading.Event]] = []  # _lock
        self._poll = select.poll()
        self._bell: tuple[int, int] | None = None  # _lock
        self._thread: threading.Thread | None = None  # _lock
        self._closing = False

    def add(self) -> tuple[StderrTail, int]:
        """For one more process: what will remember its end, and a descriptor for it.

        Raises:
            ResourceExhaustedError: no descriptors or threads left.
        """
        try:
            ours, theirs = os.pipe()
        except OSError as error:
            raise _core.ResourceExhaustedError(f"no pipe to be had: {error}") from error
        os.set_blocking(ours, False)
        tail = StderrTail(self, ours)
        try:
            with self._lock:
                self._start()
                self._tails[ours] = tail
                self._poll.register(ours, select.POLLIN)
                self._ring()
        except BaseException:
            tail.close()
            os.close(theirs)
            raise
        return tail, theirs

    def await_read(self, fd: int, tail: StderrTail) -> None:
        """Returns when nothing is left to be read of a tail, but soon in any case: what takes our
        own standard error may take its time."""
        done = threading.Event()
        with self._lock:
            if self._tails.get(fd) is not tail or self._bell is None:
                return
            self._waiting.append((fd, done))
            self._ring()
        done.wait(_MOMENT)

    def close(self) -> None:
        """Ends the thread; what was written before is passed on first."""
        with self._lock:
            self._closing = True
            thread, self._thread = self._thread, None
            self._ring()
        if thread is not None:
            thread.join(_LAST_MOMENTS)

    def _start(self) -> None:
        if self._thread is not None:
            return
        try:
            self._bell = os.pipe()
        except OSError as error:
            raise _core.ResourceExhaustedError(f"no pipe to be had: {error}") from error
        self._poll.register(self._bell[0], select.POLLIN)
        thread = threading.Thread(target=self._run, name="mojo_seq-stderr", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._close_bell()
            raise _core.ResourceExhaustedError(f"no thread to be had: {error}") from error
        self._thread = thread

    def _ring(self) -> None:
        if self._bell is not None:
            os.write(self._bell[1], b"x")

    def _close_bell(self) -> None:
        assert self._bell is not None
        self._poll.unregister(self._bell[0])
        for fd in self._bell:
            os.close(fd)
        self._bell = None

    # The thread.

    def _run(self) -> None:
        assert self._bell is not None
        ear = self._bell[0]
        waiting: list[tuple[int, threading.Event]] = []
        while not self._closing or waiting:
            ready = {fd for fd, _ in self._poll.poll(0 if waiting else None)}
            for fd in ready - {ear}:
                if not self._tails[fd].read():
                    self._forget(fd)
            left = []
            for fd, done in waiting:
                if fd in ready and fd in self._tails:
                    left.append((fd, done))
                else:
                    done.set()
            waiting = left
            if ear in ready:
                os.read(ear, _CHUNK)
                with self._lock:
                    waiting += self._waiting
                    self._waiting = []
        self._end()

    def _end(self) -> None:
        for fd, _ in self._poll.poll(0):
            if fd in self._tails:
                self._tails[fd].read()
        for fd in list(self._tails):
            self._forget(fd)
        with self._lock:
            self._close_bell()

    def _forget(self, fd: int) -> None:
        with self._lock:
            self._poll.unregister(fd)
            self._tails.pop(fd).close()
