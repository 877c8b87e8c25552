"""NamedChannel: processes that meet at a path (contract §10)."""

from __future__ import annotations

import fcntl
import gc
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mojo_seq import (
    AlreadyExistsError,
    CancelledError,
    ChannelEndpoint,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NamedChannel,
    NamedChannelServer,
    NotFoundError,
    PermissionDeniedError,
)
from mojo_seq.process import named_channel, socket_file, stream_sockets

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


# --- meeting ---


def test_two_meet(path: Path) -> None:
    with (
        NamedChannel.listen(path) as server,
        NamedChannel.connect(path) as near,
        server.accept(TIMEOUT) as far,
    ):
        exchange(near, far)
        exchange(far, near)
        for endpoint in (near, far):
            assert endpoint.fileno() > 2
            assert not os.get_inheritable(endpoint.fileno())


@pytest.mark.parametrize("kind", [str, os.fsencode, Path, os.path.relpath])
def test_every_kind_of_path(path: Path, kind: type) -> None:
    with NamedChannel.listen(kind(path)) as server, NamedChannel.connect(kind(path)) as near:
        assert server.path == str(path)
        server.accept(TIMEOUT).close()
        assert os.read(near.fileno(), 1) == b""


def test_many_connect_before_one_is_accepted(path: Path) -> None:
    with NamedChannel.listen(path) as server:
        near = [NamedChannel.connect(path) for _ in range(50)]
        far = [server.accept(TIMEOUT) for _ in near]
        for number, each in enumerate(near):
            os.write(each.fileno(), bytes([number]))
        assert [os.read(each.fileno(), 1)[0] for each in far] == list(range(50))
        for each in [*near, *far]:
            each.close()


def test_a_program_connects(path: Path) -> None:
    code = """
import os, sys
from mojo_seq import NamedChannel
with NamedChannel.connect(sys.argv[1], timeout=30) as endpoint:
    os.write(endpoint.fileno(), b"from the program")
"""
    with subprocess.Popen([sys.executable, "-c", code, path]) as child:
        with (
            NamedChannel.listen(path) as server,
            server.accept(TIMEOUT) as far,
            open(far.fileno(), "rb", closefd=False) as stream,
        ):
            assert stream.read() == b"from the program"
        assert child.wait(TIMEOUT) == 0


def test_it_is_made_by_no_constructor() -> None:
    with pytest.raises(TypeError, match="listen"):
        NamedChannel()


@pytest.mark.parametrize("bad", ["", b"", "nul\0inside"])
def test_what_is_no_path(bad: str | bytes) -> None:
    for use in (NamedChannel.listen, NamedChannel.connect):
        with pytest.raises(InvalidArgumentError):
            use(bad)
        with pytest.raises(TypeError):
            use(3)


# --- the file ---


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


# --- waiting ---


def test_connecting_to_nothing_fails_at_once(path: Path) -> None:
    for timeout in (None, 0, -1, 0.05):
        with pytest.raises(NotFoundError, match="nobody listens"):
            NamedChannel.connect(path, timeout)
    path.write_text("no socket")
    with pytest.raises(NotFoundError):
        NamedChannel.connect(path)


def test_connecting_waits_for_a_server_to_appear(path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(NamedChannel.connect, path, TIMEOUT)
        with (
            NamedChannel.listen(path) as server,
            server.accept(TIMEOUT) as far,
            connecting.result(TIMEOUT) as near,
        ):
            exchange(near, far)


def test_a_server_without_room_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_channel, "_BACKLOG", 0)
    with NamedChannel.listen(path) as server, NamedChannel.connect(path) as first:
        with pytest.raises(DeadlineExceededError):
            NamedChannel.connect(path, 0.05)
        with ThreadPoolExecutor(1) as pool:
            connecting = pool.submit(NamedChannel.connect, path)
            with server.accept(TIMEOUT) as far, connecting.result(TIMEOUT) as second:
                exchange(first, far)
                with server.accept(TIMEOUT) as other_far:
                    exchange(second, other_far)


@pytest.mark.parametrize("timeout", [0, -1.5, 0.02])
def test_nobody_connects_in_time(path: Path, timeout: float) -> None:
    with NamedChannel.listen(path) as server, pytest.raises(DeadlineExceededError):
        server.accept(timeout)


def test_a_timeout_has_to_be_a_number(path: Path) -> None:
    with NamedChannel.listen(path) as server:
        with pytest.raises(InvalidArgumentError):
            server.accept(float("nan"))
        with pytest.raises(TypeError):
            server.accept("1")  # type: ignore[arg-type]
        with NamedChannel.connect(path, float("inf")):
            server.accept(float("inf")).close()


def test_closing_wakes_all_who_wait(path: Path) -> None:
    server = NamedChannel.listen(path)
    waiting = threading.Barrier(4)

    def accept() -> None:
        waiting.wait()
        with pytest.raises((CancelledError, InvalidArgumentError)):
            server.accept()

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(accept) for _ in range(3)]
        waiting.wait()
        server.close()
        for future in futures:
            future.result(TIMEOUT)
    assert not path.exists()


def test_a_wait_that_has_begun_is_cancelled(path: Path) -> None:
    server = NamedChannel.listen(path)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(server.accept)
        pause = threading.Event()
        while server._users == 0:
            pause.wait(0.001)
        server.close()
        with pytest.raises(CancelledError):
            future.result(TIMEOUT)


def test_two_threads_accept(path: Path) -> None:
    with NamedChannel.listen(path) as server, ThreadPoolExecutor(2) as pool:
        accepting = [pool.submit(server.accept, TIMEOUT) for _ in range(2)]
        near = [NamedChannel.connect(path) for _ in range(2)]
        far = [each.result(TIMEOUT) for each in accepting]
        for each in [*near, *far]:
            each.close()


def test_a_closed_server(path: Path) -> None:
    server = NamedChannel.listen(path)
    assert "open" in repr(server)
    server.close()
    server.close()
    assert "closed" in repr(server)
    for use in (server.accept, server.fileno, server.__enter__):
        with pytest.raises(InvalidArgumentError):
            use()


def test_who_was_not_accepted_sees_the_end(path: Path) -> None:
    with NamedChannel.listen(path), NamedChannel.connect(path) as near:
        pass
    server = NamedChannel.listen(path)
    with NamedChannel.connect(path) as near:
        server.close()
        with pytest.raises(ConnectionResetError):
            os.read(near.fileno(), 1)


def test_its_descriptor_tells_when_somebody_is_there(path: Path) -> None:
    with NamedChannel.listen(path) as server:
        assert select.select([server], [], [], 0) == ([], [], [])
        with NamedChannel.connect(path):
            assert select.select([server], [], [], TIMEOUT)[0] == [server]
            server.accept(0).close()


def test_ctrl_c_ends_accepting_and_connecting(tmp_path: Path) -> None:
    code = """
import signal, sys
from mojo_seq import NamedChannel
signal.signal(signal.SIGINT, signal.default_int_handler)
with NamedChannel.listen(sys.argv[1]) as server:
    for call in (server.accept, lambda: NamedChannel.connect(sys.argv[1] + "2", 3600)):
        try:
            print("waiting", flush=True)
            call()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "channel"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            for _ in range(2):
                assert child.stdout.readline() == "waiting\n"
                child.send_signal(signal.SIGINT)
                assert child.stdout.readline() == "interrupted\n"
            assert child.wait(TIMEOUT) == 0
        finally:
            child.kill()


# --- users ---


def test_a_peer_of_another_user_is_dropped_and_accepting_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's answer is put in other words; to be two users a test has to be root."""
    answers = iter([False, False, True])
    monkeypatch.setattr(stream_sockets, "is_of_same_user", lambda _: True)
    with NamedChannel.listen(path) as server:
        near = [NamedChannel.connect(path) for _ in range(3)]
        monkeypatch.setattr(stream_sockets, "is_of_same_user", lambda _: next(answers))
        with server.accept(TIMEOUT) as far:
            exchange(near[2], far)
        for stranger in near[:2]:
            assert os.read(stranger.fileno(), 1) == b""
        for each in near:
            each.close()


def test_strangers_do_not_prolong_the_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NamedChannel.listen(path) as server:
        near = [NamedChannel.connect(path) for _ in range(3)]
        monkeypatch.setattr(stream_sockets, "is_of_same_user", lambda _: False)
        with pytest.raises(DeadlineExceededError):
            server.accept(0)
        for each in near:
            each.close()


def test_a_server_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NamedChannel.listen(path):
        monkeypatch.setattr(stream_sockets, "is_of_same_user", lambda _: False)
        with pytest.raises(PermissionDeniedError, match="another user"):
            NamedChannel.connect(path)


def test_the_kernel_says_who_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        NamedChannel.listen(path) as server,
        NamedChannel.connect(path) as near,
        server.accept(TIMEOUT),
        socket.socket(fileno=os.dup(near.fileno())) as connection,
    ):
        assert stream_sockets.is_of_same_user(connection)
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        assert not stream_sockets.is_of_same_user(connection)


def test_a_directory_that_refuses() -> None:
    with pytest.raises(PermissionDeniedError):
        NamedChannel.listen("/proc/self/fdinfo/channel" if os.geteuid() else "/sys/channel")


# --- dropping and forking ---


def test_a_dropped_server_is_closed_with_a_warning(path: Path) -> None:
    server = NamedChannel.listen(path)
    with pytest.warns(ResourceWarning, match="unclosed <NamedChannelServer"):
        del server
        gc.collect()
    assert not path.exists()


def test_a_forked_child_has_no_server_and_does_it_no_harm(path: Path) -> None:
    with NamedChannel.listen(path) as server:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                server.accept(0)
            except FailedPreconditionError as error:
                code = 0 if "fork" in str(error) else 2
            server.close()
            os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        with NamedChannel.connect(path) as near, server.accept(TIMEOUT) as far:
            exchange(near, far)
