"""Fixtures of the process tests. Children import what they run from `helpers`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

import spawn_targets

from mojo_seq import (
    MessagePipeHandle,
    PlatformChannel,
    Result,
    Signals,
    Watcher,
    _core,
    spawn_process,
    wait,
)
from mojo_seq.process import control_pipe

TIMEOUT = 30.0


@pytest.fixture(scope="session", autouse=True)
def threads_are_running() -> None:
    """What a process has from its first use of another on, before it is counted."""
    with spawn_process(spawn_targets.until_closed) as child:
        wait(child.pipe, Signals.PEER_CLOSED, 0.001)
        called = threading.Event()
        watcher = Watcher(lambda *notification: called.set())
        watcher.watch(child.pipe, Signals.READABLE, None)
        if not watcher.arm():
            assert called.wait(TIMEOUT)
        watcher.close()


@pytest.fixture(autouse=True)
def settled(
    threads_are_running: None, nothing_left_behind: None, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Before what is left is counted: the ends of other processes are noticed on another thread,
    and logged tracebacks refer to tests' objects."""
    yield
    caplog.get_records("call").clear()
    pause = threading.Event()
    for _ in range(1000):
        if not control_pipe._kept:
            _core.release_cached_memory()
            return
        pause.wait(0.01)
    raise AssertionError(f"control pipes left behind: {control_pipe._kept}")


@pytest.fixture
def channel() -> Iterator[PlatformChannel]:
    """A channel whose ends are closed after the test."""
    with PlatformChannel() as made:
        yield made


@pytest.fixture
def read() -> Callable[[MessagePipeHandle], bytes]:
    """Waits for the next message and returns its payload."""

    def read_from(pipe: MessagePipeHandle) -> bytes:
        result, _ = wait(pipe, Signals.READABLE, TIMEOUT)
        assert result is Result.OK, result
        with pipe.read() as message:
            return bytes(message)

    return read_from


@pytest.fixture
def wait_closed() -> Callable[[MessagePipeHandle], None]:
    """Waits until the pipe's other end is closed."""

    def wait_for(pipe: MessagePipeHandle) -> None:
        assert wait(pipe, Signals.PEER_CLOSED, TIMEOUT)[0] is Result.OK

    return wait_for


@pytest.fixture
def run_child() -> Callable[..., int]:
    """Runs a target in a process to its end, and returns its exit code."""

    def run(target: Callable[..., object], *args: object) -> int:
        with spawn_process(target, *args) as child:
            return child.wait(TIMEOUT)

    return run


@pytest.fixture
def remote_pipe(channel: PlatformChannel) -> Iterator[tuple[MessagePipeHandle, MessagePipeHandle]]:
    """A pipe over a socket whose both ends are in this process."""
    with (
        _core.adopt_socket(channel.local_endpoint._take()) as local,
        _core.adopt_socket(channel.remote_endpoint._take()) as remote,
    ):
        yield local, remote
