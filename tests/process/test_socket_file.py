"""The file at which processes meet: whose it is, what it replaces (contract §10)."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mojo_seq import (
    AlreadyExistsError,
    ChannelEndpoint,
    DeadlineExceededError,
    InvalidArgumentError,
    NamedChannel,
    NamedChannelServer,
    NotFoundError,
)
from mojo_seq.process import socket_file

TIMEOUT = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "channel"


def exchange(a: ChannelEndpoint, b: ChannelEndpoint) -> None:
    os.write(a.fileno(), b"there")
    assert os.read(b.fileno(), 10) == b"there"


def leave_stale(path: Path) -> None:
    """What a server leaves that is killed."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_file_is_private(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        server = NamedChannel.listen(path)
    finally:
        os.umask(before)
    with server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        NamedChannel.connect(path).close()


def test_the_file_is_private_from_its_beginning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done to it after it was made, so there is no moment before that."""
    monkeypatch.setattr(os, "chmod", None)
    before = os.umask(0)
    try:
        NamedChannel.listen(path).close()
    finally:
        os.umask(before)


def test_the_file_goes_with_the_server(path: Path) -> None:
    with NamedChannel.listen(path):
        assert path.is_socket()
    assert not path.exists()
    with pytest.raises(NotFoundError):
        NamedChannel.connect(path)


def test_a_stale_socket_is_replaced(path: Path) -> None:
    leave_stale(path)
    with pytest.raises(NotFoundError, match="nobody listens"):
        NamedChannel.connect(path)
    with NamedChannel.listen(path) as server, NamedChannel.connect(path) as near:
        with server.accept(TIMEOUT) as far:
            exchange(near, far)
        assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert list(path.parent.iterdir()) == []


def test_a_live_socket_is_kept_and_its_owner_undisturbed(path: Path) -> None:
    with NamedChannel.listen(path) as server:
        for _ in range(3):
            with pytest.raises(AlreadyExistsError):
                NamedChannel.listen(path)
        with pytest.raises(DeadlineExceededError):
            server.accept(0)  # nobody has knocked
        with NamedChannel.connect(path) as near, server.accept(TIMEOUT) as far:
            exchange(near, far)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_live_socket_of_another_program_is_kept(path: Path, kind: int) -> None:
    with socket.socket(socket.AF_UNIX, kind) as other:  # bound, and not even listening
        other.bind(str(path))
        inode = path.stat().st_ino
        with pytest.raises(AlreadyExistsError):
            NamedChannel.listen(path)
        assert path.stat().st_ino == inode


def make_other(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling link":
        path.symlink_to(path.with_name("nowhere"))
    else:
        leave_stale(path.with_name("target"))
        path.symlink_to(path.with_name("target"))


OTHERS = ["file", "directory", "fifo", "dangling link", "link to a stale socket"]


@pytest.mark.parametrize("kind", OTHERS)
def test_no_other_file_is_ever_replaced(path: Path, kind: str) -> None:
    make_other(path, kind)
    before = sorted((each.name, each.lstat().st_ino) for each in path.parent.iterdir())
    with pytest.raises(AlreadyExistsError):
        NamedChannel.listen(path)
    after = sorted((each.name, each.lstat().st_ino) for each in path.parent.iterdir())
    assert before == after


def test_a_file_that_replaces_a_stale_socket_in_between_is_put_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program is faster than we are, in the worst moment."""
    leave_stale(path)
    rename = os.rename

    def slow_rename(source: str, target: str) -> None:
        path.unlink()
        path.write_text("precious")
        rename(source, target)

    monkeypatch.setattr(os, "rename", slow_rename)
    with pytest.raises(AlreadyExistsError):
        NamedChannel.listen(path)
    assert path.read_text() == "precious"
    assert list(path.parent.iterdir()) == [path]


def test_who_keeps_the_directory_locked_stops_nobody_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_file, "_PAUSE", 0)
    leave_stale(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(AlreadyExistsError, match="others"):
            NamedChannel.listen(path)
        NamedChannel.listen(path.with_name("elsewhere")).close()
    finally:
        os.close(folder)
    NamedChannel.listen(path).close()


def test_many_replace_a_stale_socket_and_one_gets_it(path: Path) -> None:
    for _ in range(20):
        leave_stale(path)
        barrier = threading.Barrier(8)

        def listen(barrier: threading.Barrier = barrier) -> NamedChannelServer | None:
            barrier.wait()
            try:
                return NamedChannel.listen(path)
            except AlreadyExistsError:
                return None

        with ThreadPoolExecutor(8) as pool:
            got = [each.result() for each in [pool.submit(listen) for _ in range(8)]]
        (winner,) = filter(None, got)
        with winner, NamedChannel.connect(path) as near, winner.accept(TIMEOUT) as far:
            exchange(near, far)
        assert list(path.parent.iterdir()) == []


def test_only_its_own_file_is_removed(path: Path) -> None:
    first = NamedChannel.listen(path)
    path.unlink()
    with NamedChannel.listen(path) as second:
        first.close()
        with NamedChannel.connect(path) as near, second.accept(TIMEOUT) as far:
            exchange(near, far)
    assert not path.exists()


def test_a_removed_file_does_no_harm(path: Path) -> None:
    with NamedChannel.listen(path):
        path.unlink()


def test_a_path_longer_than_an_address(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["directory"] * 30)
    deep.mkdir(parents=True)
    path = deep / "channel"
    leave_stale_at_depth(path)
    with NamedChannel.listen(path) as server, NamedChannel.connect(path) as near:
        with server.accept(TIMEOUT) as far:
            exchange(near, far)
        with pytest.raises(AlreadyExistsError):
            NamedChannel.listen(path)
    assert list(deep.iterdir()) == []


def leave_stale_at_depth(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left, socket_file.address_of(str(path)) as address:
        left.bind(address)


def test_a_name_too_long_for_an_address(tmp_path: Path) -> None:
    for use in (NamedChannel.listen, NamedChannel.connect):
        with pytest.raises(InvalidArgumentError, match="too long"):
            use(tmp_path / ("x" * 120))
    assert list(tmp_path.iterdir()) == []


def test_no_such_directory(tmp_path: Path) -> None:
    for use in (NamedChannel.listen, NamedChannel.connect):
        with pytest.raises(NotFoundError):
            use(tmp_path / "nowhere" / "channel")
        with pytest.raises(NotFoundError):
            use(tmp_path / "nowhere" / ("x" * 50) / ("x" * 50) / "channel")


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for use in (NamedChannel.listen, NamedChannel.connect):
        with pytest.raises(InvalidArgumentError):
            use(tmp_path / "file" / "channel")
