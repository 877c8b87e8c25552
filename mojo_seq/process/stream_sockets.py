"""Unix stream sockets, as bare descriptors."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from mojo_seq import _core
from mojo_seq.process.system_error import system_error

_FIRST = 3  # below are the descriptors that every program takes for its standard streams


def make_pair() -> tuple[int, int]:
    """Two connected sockets, neither inherited by other programs.

    Raises:
        ResourceExhaustedError: no descriptors or memory left.
    """
    try:
        first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise system_error(error, "no socket pair can be made") from error
    with first, second:
        return above_standard_streams(first), above_standard_streams(second)


def above_standard_streams(owner: socket.socket) -> int:
    """Takes the descriptor out of a socket; moves it if a standard stream was closed, so that it
    cannot be taken for one."""
    if owner.fileno() >= _FIRST:
        return owner.detach()
    return fcntl.fcntl(owner.fileno(), fcntl.F_DUPFD_CLOEXEC, _FIRST)


def check(fd: int) -> None:
    """Makes sure that `fd` is a Unix stream socket.

    Raises:
        InvalidArgumentError: it is something else, or not open.
    """
    try:
        seen = socket.socket(fileno=fd)
    except (OSError, OverflowError, ValueError) as error:
        raise _core.InvalidArgumentError(f"descriptor {fd} is not a socket") from error
    try:
        if seen.family != socket.AF_UNIX or seen.type != socket.SOCK_STREAM:
            raise _core.InvalidArgumentError(f"descriptor {fd} is not a Unix stream socket")
    finally:
        seen.detach()


def is_of_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end ran as this process's user when it connected or
    listened. Only the kernel says so; what a peer says of itself is worth nothing."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return bool(uid == os.geteuid())
