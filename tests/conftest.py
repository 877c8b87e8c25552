"""What holds for every test: it leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import hypothesis  # noqa: F401  (its plugin imports it at the end of the session, too late for our filters)
import pytest
from mojo_seq import _core


def pytest_collection_finish() -> None:
    """What is alive before the first test is no test's concern, and costs time at each collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Others ask the collector about what is alive, too."""
    gc.unfreeze()


def _descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


def _state() -> dict[str, object]:
    gc.collect()
    return {
        "engine objects": _core.live_objects(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "descriptors": _descriptors(),
    }


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no handle, message, mapping, watch, sequence, task, thread or descriptor.

    Engine objects are compared in all; only what a test adds is its own.
    """
    before = _state()
    yield
    request.node.funcargs.clear()  # pytest keeps a test's arguments longer than the test
    after = _state()
    for what, value in after.items():
        if what == "descriptors":
            left = set(value.items()) - set(before[what].items())  # type: ignore[attr-defined]
            assert not left, f"descriptors left behind: {left}"
        elif what == "engine objects":
            left = {
                kind: count - before[what][kind]  # type: ignore[index]
                for kind, count in value.items()  # type: ignore[attr-defined]
                if count > before[what][kind]  # type: ignore[index]
            }
            assert not left, f"engine objects left behind: {left}"
        else:
            left = set(value) - set(before[what])  # type: ignore[call-overload]
            assert not left, f"{what} left behind: {left}"
