"""What children do with platform handles."""

from __future__ import annotations

import os
import socket

from mojo_seq import Handle, PlatformHandle, wrap_fd


def read_from(handle: PlatformHandle, nbytes: int) -> bytes:
    """Reads, and closes the descriptor."""
    fd = handle.unwrap()
    try:
        return os.read(fd, nbytes)
    finally:
        os.close(fd)


def open_file(path: str) -> PlatformHandle:
    return wrap_fd(os.open(path, os.O_RDONLY))


def say_hello(handle: PlatformHandle) -> None:
    with socket.socket(fileno=handle.unwrap()) as connection:
        connection.sendall(b"hello")


def status(handle: PlatformHandle) -> tuple[int, int, int]:
    """What tells which file it is. Closes the descriptor."""
    fd = handle.unwrap()
    try:
        found = os.fstat(fd)
        return found.st_dev, found.st_ino, found.st_mode
    finally:
        os.close(fd)


def finish_file(handle: PlatformHandle, other: Handle) -> None:
    with os.fdopen(handle.unwrap(), "wb") as file:
        file.write(b"finished")
    other.close()
