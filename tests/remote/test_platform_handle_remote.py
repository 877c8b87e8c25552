"""Open files that go to another process (system rules §7)."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path

from puppets import Puppet
from puppets.files import finish_file, open_file, read_from, say_hello, status
from puppets.pipes import wait_for

from mojo_seq import MessagePipe, PlatformHandle, Signals, wrap_fd

MessagePipes = Callable[[], MessagePipe]


def test_the_open_file_is_the_same(child: Puppet, tmp_path: Path) -> None:
    """System rules §7: no copy but the descriptor: both have one offset."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as file:
        there = child.give(wrap_fd(os.dup(file.fileno())))
        assert file.read(3) == b"012"
        assert child.call(read_from, there, 4) == b"3456"
        assert file.read() == b"789"


def test_a_deleted_file_goes_on(child: Puppet, tmp_path: Path) -> None:
    """System rules §7: opened there, removed, read here."""
    path = tmp_path / "file"
    path.write_bytes(b"contents")
    handle = child.take(child.call(open_file, str(path)))
    path.unlink()
    assert read_from(handle, 8) == b"contents"
    handle.close()


def test_a_socket_goes(child: Puppet) -> None:
    """System rules §7: any descriptor."""
    ours, theirs = socket.socketpair()
    with ours:
        there = child.give(wrap_fd(theirs.detach()))
        child.call(say_hello, there)
        assert ours.recv(100) == b"hello"


def test_a_directory_a_device_and_a_pidfd_go(child: Puppet, tmp_path: Path) -> None:
    """System rules §7."""
    for fd in (
        os.open(tmp_path, os.O_RDONLY),
        os.open("/dev/null", os.O_RDWR),
        os.pidfd_open(os.getpid()),
        os.eventfd(3),
    ):
        before = os.fstat(fd)
        there = child.give(wrap_fd(fd))
        assert child.call(status, there) == (before.st_dev, before.st_ino, before.st_mode)


def test_a_received_descriptor_is_not_inherited(child: Puppet) -> None:
    """A process started afterwards does not get it, whatever it was at the sender's."""
    readable, writable = os.pipe2(0)
    os.close(writable)
    handle = child.take(child.give(wrap_fd(readable)))
    assert isinstance(handle, PlatformHandle)
    fd = handle.unwrap()
    try:
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    finally:
        os.close(fd)


def test_flags_of_the_open_file_are_left_alone(child: Puppet, message_pipes: MessagePipes) -> None:
    """A file that blocks goes on blocking: the flag would be shared with its other owners."""
    for flags in (0, os.O_NONBLOCK):
        readable, writable = os.pipe2(flags)
        other = os.dup(readable)
        handle = child.take(child.give(wrap_fd(readable)))
        fd = handle.unwrap()
        assert os.get_blocking(fd) == os.get_blocking(other) == (flags == 0)
        for each in (fd, other, writable):
            os.close(each)


def test_a_message_pipes_descriptor_is_not_disturbed(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """A handle and a message pipe in one message: each is what it was."""
    a, b = message_pipes()
    readable, writable = os.pipe()
    there = child.call(finish_file, child.give(wrap_fd(writable)), child.give(b))
    assert there is None
    with os.fdopen(readable, "rb") as file:
        assert file.read() == b"finished"
    wait_for(a, Signals.PEER_CLOSED)
