"""NamedChannel: processes that find each other by a path in the file system."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

from mojo_seq import _core
from mojo_seq.process.channel_endpoint import ChannelEndpoint
from mojo_seq.process.deadline import Deadline
from mojo_seq.process.named_channel_server import NamedChannelServer
from mojo_seq.process.system_error import system_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    import socket
    from typing import TypeAlias

    _Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_PAUSE = 0.01
_BACKLOG = 128


class NamedChannel:
    """Connects processes of one user that know a path but not each other.

    The path is a Unix socket's. Its file is of mode 0600 from its beginning, and the kernel is
    asked of what user a peer is, on both sides. The directory should be writable by nobody else.
    """

    def __init__(self) -> None:
        raise TypeError("a NamedChannel is not made: use NamedChannel.listen() and .connect()")

    @staticmethod
    def listen(path: _Path) -> NamedChannelServer:
        """Makes the socket at `path`, to which others can connect from then on.

        A socket that was left there by a process that is gone is replaced. Anything else stays.
        The path may be longer than a socket's address can; only its last part may not.

        Raises:
            AlreadyExistsError: the path is a file of another kind or a socket that is in use.
            NotFoundError: there is no such directory.
            PermissionDeniedError: the directory refuses it.
            InvalidArgumentError: the path, or its last part, is too long for a socket.
            ResourceExhaustedError: no descriptors or space left.
        """
        from mojo_seq.process import socket_file

        full = os.path.abspath(_checked(path))
        with ExitStack() as undo:
            listener = undo.enter_context(_new_socket())
            socket_file.bind(listener, full)
            undo.callback(os.unlink, full)
            listener.listen(_BACKLOG)
            server = NamedChannelServer(listener, full)
            undo.pop_all()
        return server

    @staticmethod
    def connect(path: _Path, timeout: float | None = None) -> ChannelEndpoint:
        """Connects to the server at `path`.

        Args:
            path: where the server listens.
            timeout: seconds to wait for a server to appear there, if there is none now. None: it
                has to be there already; and if more processes wait to be accepted than the server
                has room for, then for the server as long as it takes.

        Raises:
            NotFoundError: nobody listens there (until the time was over).
            DeadlineExceededError: the server had no room for one more in time.
            PermissionDeniedError: the path, or the server's user, is another's.
            InvalidArgumentError: the path, or its last part, is too long for a socket, or the
                socket is of another type.
        """
        from mojo_seq.process import stream_sockets

        deadline = Deadline(timeout)
        name = _checked(path)
        while True:
            connection, refused = _try_to_connect(name)
            if connection is not None:
                with connection:
                    if not stream_sockets.is_of_same_user(connection):
                        raise _core.PermissionDeniedError(f"{name!r} is of another user")
                    return ChannelEndpoint(stream_sockets.above_standard_streams(connection))
            absent = not isinstance(refused, BlockingIOError)
            if deadline.passed() or (absent and timeout is None):
                raise (
                    _core.NotFoundError(f"nobody listens at {name!r}")
                    if absent
                    else _core.DeadlineExceededError(f"{name!r} did not accept in time")
                ) from refused
            remaining = deadline.remaining()
            time.sleep(_PAUSE if remaining is None else min(_PAUSE, remaining))


def _try_to_connect(path: str) -> tuple[socket.socket | None, OSError | None]:
    """A connection, or why there is none now but may be later."""
    from mojo_seq.process import socket_file

    connection = _new_socket()
    try:
        with socket_file.address_of(path) as address:
            connection.connect(address)
        return connection, None
    except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
        connection.close()
        return None, error
    except OSError as error:
        connection.close()
        raise system_error(error, f"{path!r} cannot be connected to") from error
    except BaseException:
        connection.close()
        raise


def _new_socket() -> socket.socket:
    import socket

    try:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise system_error(error, "no socket can be made") from error
    made.setblocking(False)
    return made


def _checked(path: _Path) -> str:
    """The path as a string that names a file."""
    name = os.fsdecode(path)
    if not name or "\0" in name:
        raise _core.InvalidArgumentError(f"{name!r} is no path")
    return name
