"""What holds for every test: it leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
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
    after = _state()
    objects = {
        kind: count - before.engine_objects[kind]
        for kind, count in after.engine_objects.items()
        if count > before.engine_objects[kind]
    }
    assert not objects, f"engine objects left behind: {objects}"
    threads = after.threads - before.threads
    assert not threads, f"threads left behind: {threads}"
    descriptors = after.descriptors - before.descriptors
    assert not descriptors, f"descriptors left behind: {descriptors}"
