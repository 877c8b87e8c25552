"""NamedChannelServer: waits at a path for processes that connect."""

from __future__ import annotations

import os
import threading
from contextlib import nullcontext, suppress
from warnings import warn

from mojo_seq import _core
from mojo_seq.process.channel_endpoint import ChannelEndpoint
from mojo_seq.process.deadline import Deadline
from mojo_seq.process.system_error import system_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    import socket
    from typing import Self


class NamedChannelServer:
    """Listens at a path; made by `NamedChannel.listen`.

    Any thread may accept, several at once; closing ends them all. A server that is
    garbage-collected open is closed and emits ResourceWarning. In a forked child it is dead.
    """

    def __init__(self, listener: socket.socket, path: str) -> None:
        self._listener = listener  # non-blocking; closed by the last that uses it
        self._path = path
        file = os.lstat(path)
        self._file = file.st_dev, file.st_ino
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 0  # _lock
        self._closed = False  # _lock

    @property
    def path(self) -> str:
        """Where the server listens, as an absolute path."""
        return self._path

    def accept(self, timeout: float | None = None) -> ChannelEndpoint:
        """Waits for the next process of this user to connect. Others are dropped unseen.

        Args:
            timeout: seconds; None: no limit; zero or less: only looks.

        Raises:
            DeadlineExceededError: nobody connected in time.
            CancelledError: the server was closed meanwhile.
            InvalidArgumentError: the server was closed before.
            FailedPreconditionError: the server was made before this process was forked.
            ResourceExhaustedError: no descriptors left; who waits to be accepted goes on waiting.
        """
        self._check_process()
        deadline = Deadline(timeout)
        self._begin_use()
        try:
            connection = self._accept_now()
            while connection is None:
                deadline.wait_readable(self._listener.fileno())
                if self._closed:
                    raise _core.CancelledError("the server was closed while waiting")
                if deadline.passed():
                    raise _core.DeadlineExceededError(f"nobody connected to {self._path!r} in time")
                connection = self._accept_now()
            return connection
        finally:
            self._end_use()

    def _accept_now(self) -> ChannelEndpoint | None:
        """Accepts who is there; None: nobody of this user."""
        from mojo_seq.process import stream_sockets

        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if self._closed:
                return None
            raise system_error(error, f"{self._path!r} cannot accept") from error
        with connection:
            if not stream_sockets.is_of_same_user(connection):
                return None
            return ChannelEndpoint(stream_sockets.above_standard_streams(connection))

    def fileno(self) -> int:
        """The listening socket's descriptor, readable when `accept(0)` may find somebody.

        Raises:
            InvalidArgumentError: the server was closed.
        """
        fd = self._listener.fileno()
        if fd < 0 or self._closed:
            raise self._unusable()
        return fd

    def close(self) -> None:
        """Stops listening and removes the socket's file, if it is still this server's.

        Who has connected but was not accepted sees that the connection is closed. Nothing happens
        if the server was closed already. In a forked child only the child's copy is closed.
        """
        own = self._process == os.getpid()
        with self._lock if own else nullcontext():  # the lock may have been held at the fork
            if self._closed:
                return
            self._closed = True
            if own:
                # While the socket lives no other file can have its inode's number.
                self._unlink()
                self._listener.shutdown(2)  # wakes who waits in accept()
            if not (own and self._users):
                self._listener.close()

    def _unlink(self) -> None:
        with suppress(FileNotFoundError):
            file = os.lstat(self._path)
            if (file.st_dev, file.st_ino) == self._file:
                os.unlink(self._path)

    def _begin_use(self) -> None:
        with self._lock:
            if self._closed:
                raise self._unusable()
            self._users += 1

    def _end_use(self) -> None:
        with self._lock:
            self._users -= 1
            if self._closed and not self._users:
                self._listener.close()

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise _core.FailedPreconditionError(f"{self!r} was made before this process was forked")

    def _unusable(self) -> _core.InvalidArgumentError:
        return _core.InvalidArgumentError(f"{self!r} cannot be used any more")

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            if self._process == os.getpid():
                warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __repr__(self) -> str:
        return f"<NamedChannelServer {self._path!r} {'closed' if self._closed else 'open'}>"
