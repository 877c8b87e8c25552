"""The other process of what is measured between two.

It is a fresh interpreter for every contender, which runs a function and ends when its pipe or
socket is closed. It also ends when this process does, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import mojo_seq
from mojo_seq import MessagePipeHandle, PeerClosedError, Signals
from mojo_seq.cli.bench.process_tree import die_with

PATIENCE = 20.0  # seconds that a child is given to end by itself
READABLE = Signals.READABLE


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
    """In the child: dies with the parent, which has started it on its main thread."""
    die_with(parent)
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
