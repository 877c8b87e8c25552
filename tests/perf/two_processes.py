"""What the scripts that measure between two processes share: the other process, and where it runs.

The other process is a fresh interpreter for every contender, which runs a function of the script
and ends when its pipe or socket is closed. It also ends when the script does, however that ends.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mojo_seq
from mojo_seq import MessagePipeHandle, PeerClosedError, Signals

PATIENCE = 20.0  # seconds that a child is given to end by itself
PR_SET_PDEATHSIG = 1

Cores = Callable[[], tuple[int | None, int | None]]
READABLE = Signals.READABLE


def anywhere() -> tuple[None, None]:
    """Wherever the scheduler puts the two processes."""
    return None, None


def place(core: int | None) -> None:
    """Keeps this process, with all the threads that it has or makes, on one processor.

    A library's own threads too: on one processor nothing may be done on a second one on the side.
    """
    if core is not None:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


@contextmanager
def mojo_child(target: Callable[..., None], *args: Any) -> Iterator[MessagePipeHandle]:
    """Runs `target(pipe, *args)` in another process; gives the other end of the pipe.

    Raises:
        RuntimeError: at the end, if the target failed.
    """
    with mojo_seq.spawn_process(until_closed, target, *args) as child:
        yield child.pipe
        child.pipe.close()
        child.wait(PATIENCE)
    if child.exitcode != 0:
        raise RuntimeError(f"the other process failed: exit code {child.exitcode}")


def until_closed(pipe: MessagePipeHandle, target: Callable[..., None], *args: Any) -> None:
    """In the child: the end of the pipe is the end of the work."""
    try:
        target(pipe, *args)
    except PeerClosedError:
        pipe.close()


@contextmanager
def peer_child(target: Callable[..., None], *args: Any) -> Iterator[None]:
    """Runs `target(*args)` in another process, for the peers; an EOFError is its proper end.

    Raises:
        RuntimeError: at the end, if the target failed.
    """
    process = multiprocessing.get_context("spawn").Process(
        target=until_end_of_file, args=(os.getpid(), target, *args), daemon=True
    )
    process.start()
    try:
        yield
        process.join(PATIENCE)
    finally:
        process.kill()
        process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the other process failed: exit code {process.exitcode}")


def until_end_of_file(parent: int, target: Callable[..., None], *args: Any) -> None:
    """In the child: dies with the parent (which starts it on its main thread)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        return
    # Any of these: the parent closed its end.
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        target(*args)


def receive(pipe: MessagePipeHandle) -> mojo_seq.Message:
    """The next message; sleeps until there is one.

    Raises:
        PeerClosedError: the other process closed its end.
    """
    mojo_seq.wait(pipe, READABLE)
    return pipe.read()


def receive_exactly(connection: socket.socket, buffer: memoryview) -> None:
    """Fills the buffer.

    Raises:
        EOFError: the other process closed its end.
    """
    while buffer:
        received = connection.recv_into(buffer)
        if received == 0:
            raise EOFError
        buffer = buffer[received:]
