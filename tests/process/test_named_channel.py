"""NamedChannel: processes that meet at a path (contract §10)."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mojo_seq import (
    CancelledError,
    ChannelEndpoint,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NamedChannel,
    NotFoundError,
    PermissionDeniedError,
)
from mojo_seq.process import named_channel, stream_sockets

TIMEOUT = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "channel"


def exchange(a: ChannelEndpoint, b: ChannelEndpoint) -> None:
    os.write(a.fileno(), b"there")
    assert os.read(b.fileno(), 10) == b"there"


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
            use(3)  # type: ignore[arg-type]


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


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
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
