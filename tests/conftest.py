"""What holds for every test: it leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import hypothesis  # noqa: F401  (its plugin imports it at the session's end, too late for us)
import pytest

from mojo_seq import _core


def pytest_collection_finish() -> None:
    """What is alive before the first test is no test's concern, and slows each collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Others ask the collector about what is alive, too."""
    gc.unfreeze()


class State(NamedTuple):
    engine_objects: dict[str, int]
    threads: set[str]
    descriptors: set[tuple[int, str]]


def _descriptors() -> set[tuple[int, str]]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


def _state() -> State:
    gc.collect()
    threads = {thread.name for thread in threading.enumerate()}
    return State(_core.live_objects(), threads, _descriptors())


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no handle, message, mapping, watch, sequence, task, thread or descriptor.

    Engine objects are compared in all; only what a test adds is its own.
    """
    before = _state()
    yield
    request.node.funcargs.clear()  # pytest keeps a test's arguments longer than the test
    deadline = time.monotonic() + SETTLING
    while (left := _left_behind(before, _state())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"left behind: {left}"


# The I/O thread lets go of what it was told of only after whoever waited for that goes on.
SETTLING = 2.0


def _left_behind(before: State, after: State) -> list[str]:
    left = [
        f"{count - before.engine_objects[kind]} {kind}"
        for kind, count in after.engine_objects.items()
        if count > before.engine_objects[kind]
    ]
    left += [f"thread {name}" for name in sorted(after.threads - before.threads)]
    left += [f"descriptor {fd}" for fd in sorted(after.descriptors - before.descriptors)]
    return left
