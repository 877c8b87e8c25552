"""PlatformChannel and ChannelEndpoint: sockets for programs that somebody starts (contract §10)."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mojo_seq import (
    ChannelEndpoint,
    InvalidArgumentError,
    MessagePipeHandle,
    NotFoundError,
    PlatformChannel,
    _core,
)

VARIABLE = "MOJO_SEQ_CHANNEL"


def run_python(code: str, **popen_kwargs: Any) -> tuple[str, str, int]:
    """Runs a program that has nothing to do with the library's own way of starting one."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **{**pipes, **popen_kwargs}) as child:
        output, errors = child.communicate(timeout=30)
    return output, errors, child.returncode


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Of this process, without a channel in it, before and after."""
    monkeypatch.delenv(VARIABLE, raising=False)
    yield monkeypatch
    os.environ.pop(VARIABLE, None)


# --- endpoints ---


def test_the_two_ends_are_connected(channel: PlatformChannel) -> None:
    os.write(channel.local_endpoint.fileno(), b"there")
    assert os.read(channel.remote_endpoint.fileno(), 10) == b"there"
    os.write(channel.remote_endpoint.fileno(), b"and back")
    assert os.read(channel.local_endpoint.fileno(), 10) == b"and back"


def test_they_are_no_standard_streams_and_not_inherited(channel: PlatformChannel) -> None:
    for endpoint in (channel.local_endpoint, channel.remote_endpoint):
        assert endpoint.fileno() > 2
        assert not os.get_inheritable(endpoint.fileno())


def test_a_closed_standard_stream_is_not_taken_for_an_end() -> None:
    code = """
import os
from mojo_seq import PlatformChannel
os.close(0)
with PlatformChannel() as channel:
    print(min(channel.local_endpoint.fileno(), channel.remote_endpoint.fileno()) > 2)
"""
    assert run_python(code) == ("True\n", "", 0)


def test_closing_is_final_and_harmless_twice(channel: PlatformChannel) -> None:
    endpoint = channel.local_endpoint
    assert "fd=" in repr(endpoint)
    fd = endpoint.fileno()
    endpoint.close()
    endpoint.close()
    with pytest.raises(OSError):
        os.fstat(fd)
    assert "closed or used up" in repr(endpoint)
    for use in (endpoint.fileno, endpoint.pass_to, endpoint.__enter__):
        with pytest.raises(InvalidArgumentError, match="cannot be used any more"):
            use()


def test_the_other_end_sees_that_one_is_closed(channel: PlatformChannel) -> None:
    channel.remote_endpoint.close()
    assert os.read(channel.local_endpoint.fileno(), 1) == b""


def test_leaving_the_block_closes_what_is_left() -> None:
    with PlatformChannel() as channel, channel.remote_endpoint as remote:
        fds = [channel.local_endpoint.fileno(), remote.fileno()]
        remote.close()
    for fd in fds:
        with pytest.raises(OSError):
            os.fstat(fd)


def test_a_dropped_endpoint_is_closed_with_a_warning() -> None:
    channel = PlatformChannel()
    fd = channel.local_endpoint.fileno()
    channel.remote_endpoint.close()
    with pytest.warns(ResourceWarning, match=f"unclosed <ChannelEndpoint fd={fd}>"):
        del channel
        gc.collect()
    with pytest.raises(OSError):
        os.fstat(fd)


def test_it_cannot_be_copied_or_pickled(channel: PlatformChannel) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="pass_to"):
            attempt(channel.local_endpoint)


def test_any_unix_stream_socket_can_be_an_endpoint() -> None:
    here, there = socket.socketpair()
    with there, ChannelEndpoint(here.detach()) as endpoint:
        os.write(endpoint.fileno(), b"x")
        assert there.recv(10) == b"x"


@contextmanager
def not_a_stream(kind: str) -> Iterator[int]:
    if kind == "a file":
        with open("/dev/null") as file:
            yield file.fileno()
    elif kind == "no descriptor":
        yield -1
    else:
        family, of_type = {
            "datagrams": (socket.AF_UNIX, socket.SOCK_DGRAM),
            "internet": (socket.AF_INET, socket.SOCK_STREAM),
        }[kind]
        with socket.socket(family, of_type) as lone:
            yield lone.fileno()


@pytest.mark.parametrize("kind", ["a file", "datagrams", "internet", "no descriptor"])
def test_anything_else_is_refused_and_kept(kind: str) -> None:
    with not_a_stream(kind) as fd:
        with pytest.raises(InvalidArgumentError, match=str(fd)):
            ChannelEndpoint(fd)
        assert fd < 0 or os.fstat(fd)


def test_one_of_two_users_gets_it(channel: PlatformChannel) -> None:
    with channel.local_endpoint._adopt() as pipe:
        assert isinstance(pipe, MessagePipeHandle)
        with pytest.raises(InvalidArgumentError):
            channel.local_endpoint._adopt()


def test_a_use_that_fails_gives_it_back(channel: PlatformChannel) -> None:
    fd = channel.local_endpoint.fileno()
    with pytest.raises(ZeroDivisionError), channel.local_endpoint._lend():
        raise ZeroDivisionError
    assert channel.local_endpoint.fileno() == fd
    with channel.local_endpoint._lend() as pipe:
        pass
    with pytest.raises(InvalidArgumentError):
        channel.local_endpoint.fileno()
    pipe.close()


# --- passing one to a program ---


def test_the_program_finds_it(channel: PlatformChannel) -> None:
    code = """
import os
from mojo_seq import ChannelEndpoint
with ChannelEndpoint.from_environment() as endpoint:
    assert not os.get_inheritable(endpoint.fileno())
    os.write(endpoint.fileno(), os.read(endpoint.fileno(), 100).upper())
"""
    os.write(channel.local_endpoint.fileno(), b"hello")
    assert run_python(code, **channel.remote_endpoint.pass_to()) == ("", "", 0)
    channel.remote_endpoint.close()
    assert os.read(channel.local_endpoint.fileno(), 100) == b"HELLO"
    assert os.read(channel.local_endpoint.fileno(), 100) == b""


def test_it_is_found_once_and_not_by_grandchildren(channel: PlatformChannel) -> None:
    code = """
import os, subprocess, sys
from mojo_seq import ChannelEndpoint, NotFoundError
with ChannelEndpoint.from_environment():
    try:
        ChannelEndpoint.from_environment()
    except NotFoundError:
        print("once", flush=True)
    if len(sys.argv) == 1:
        look = "print(os.environ.get('MOJO_SEQ_CHANNEL'), os.listdir('/proc/self/fd'))"
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", f"import os; {look}"])
"""
    output, errors, _ = run_python(code, **channel.remote_endpoint.pass_to())
    assert errors == ""
    once, grandchild = output.splitlines()
    assert once == "once"
    assert grandchild == "None ['0', '1', '2', '3']"  # 3 is the listing's own


def test_the_arguments_are_extended_and_not_changed(channel: PlatformChannel) -> None:
    endpoint = channel.remote_endpoint
    env = {"A": "1"}
    pass_fds = [7, 8]
    given = {"env": env, "pass_fds": pass_fds, "cwd": "/"}
    made = endpoint.pass_to(**given)
    assert given == {"env": {"A": "1"}, "pass_fds": [7, 8], "cwd": "/"}
    assert (env, pass_fds) == ({"A": "1"}, [7, 8])
    assert made.pop("env").keys() == {"A", VARIABLE}
    assert made == {"pass_fds": (7, 8, endpoint.fileno()), "cwd": "/"}
    assert endpoint.pass_to() == endpoint.pass_to()


def test_without_an_environment_it_is_this_process_s(
    channel: PlatformChannel, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("FOR_THE_TEST", "yes")
    env = channel.remote_endpoint.pass_to()["env"]
    assert env["FOR_THE_TEST"] == "yes"
    assert VARIABLE not in os.environ
    assert channel.remote_endpoint.pass_to(env={})["env"].keys() == {VARIABLE}


def test_nothing_was_passed(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="not set"):
        ChannelEndpoint.from_environment()


@pytest.mark.parametrize("text", ["", "x", "5", "5:x", "-1:5", "99999999999999999999:1", "0:0"])
def test_the_variable_is_nonsense(environment: pytest.MonkeyPatch, text: str) -> None:
    environment.setenv(VARIABLE, text)
    with pytest.raises(NotFoundError, match=VARIABLE):
        ChannelEndpoint.from_environment()
    assert VARIABLE not in os.environ


def test_a_number_that_names_something_else_by_now_is_not_taken(
    channel: PlatformChannel, environment: pytest.MonkeyPatch
) -> None:
    passed = channel.remote_endpoint.pass_to()["env"][VARIABLE]
    fd = channel.remote_endpoint.fileno()
    channel.remote_endpoint.close()
    here, there = socket.socketpair()
    with here, there:
        if here.fileno() != fd:
            os.dup2(here.fileno(), fd)
        environment.setenv(VARIABLE, passed)
        with pytest.raises(NotFoundError):
            ChannelEndpoint.from_environment()
        assert os.get_inheritable(fd) or fd == here.fileno()  # left as it was
        if here.fileno() != fd:
            os.close(fd)


def test_the_same_in_the_same_process(
    channel: PlatformChannel, environment: pytest.MonkeyPatch
) -> None:
    passed = channel.remote_endpoint.pass_to()["env"][VARIABLE]
    environment.setenv(VARIABLE, passed)
    taken = ChannelEndpoint.from_environment()
    assert taken.fileno() == channel.remote_endpoint._take()
    taken.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_it_goes_on_in_a_forked_child(channel: PlatformChannel) -> None:
    pid = os.fork()
    if pid == 0:
        os.write(channel.remote_endpoint.fileno(), b"forked")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(channel.local_endpoint.fileno(), 10) == b"forked"


def test_an_adopted_end_is_a_message_pipe(
    remote_pipe: tuple[MessagePipeHandle, MessagePipeHandle],
    read: Callable[[MessagePipeHandle], bytes],
) -> None:
    local, remote = remote_pipe
    local.write(b"there")
    assert read(remote) == b"there"
    remote.write(b"back")
    assert read(local) == b"back"
    assert local.query_signals_state().peer_remote
    assert _core.live_objects()["channel"] >= 2
