"""Fixtures of the pool tests. Workers import what they run from `helpers`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

import pool_services
from gate import Gate

from mojo_seq import MessagePipeHandle, Signals, Watcher, _core, wait
from mojo_seq.pool import ProcessPool

TIMEOUT = 30.0


@pytest.fixture(scope="session", autouse=True)
def threads_are_running() -> None:
    """What a process has from its first use of another on, before it is counted."""
    with ProcessPool(1) as pool, pool.choose_worker().open_service(pool_services.echo) as pipe:
        pipe.write(b"something")
        pool_services.next_message(pipe)
        wait(pipe, Signals.PEER_CLOSED, 0.001)
        called = threading.Event()
        watcher = Watcher(lambda *notification: called.set())
        watcher.watch(pipe, Signals.READABLE, None)
        assert not watcher.arm()  # nothing is there yet, so the notification has to come
        pipe.write(b"something")
        assert called.wait(TIMEOUT)
        watcher.close()


@pytest.fixture(autouse=True)
def settled(
    threads_are_running: None, nothing_left_behind: None, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Before what is left is counted: logged tracebacks refer to tests' objects."""
    yield
    caplog.get_records("call").clear()
    _core.release_cached_memory()


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    """A pool of two."""
    with ProcessPool(2) as made:
        yield made


@pytest.fixture
def gate(tmp_path: Path, nothing_left_behind: None) -> Iterator[Gate]:
    """For tasks to wait at; shut."""
    made = Gate(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wait_closed() -> Callable[[MessagePipeHandle], None]:
    """Waits until the pipe's other end is closed."""

    def wait_for(pipe: MessagePipeHandle) -> None:
        assert wait(pipe, Signals.PEER_CLOSED, TIMEOUT)[0].name == "OK"

    return wait_for


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program that can import the helpers, in a session of its own."""

    def run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-X", "dev", "-c", code, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(pool_services.__file__).parent)},
            timeout=TIMEOUT,
            start_new_session=True,
        )

    return run
