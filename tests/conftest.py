"""What holds for every test: it leaves nothing behind."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator

import hypothesis  # noqa: F401  (its plugin imports it at the session's end, too late for us)
import pytest

from mojo_seq.testing import leak_check


def pytest_collection_finish() -> None:
    """What is alive before the first test is no test's concern, and slows each collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Others ask the collector about what is alive, too."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no handle, message, mapping, watch, sequence, task, thread, process or
    descriptor. Stricter than our plugin: of failed tests, too, and with descriptors."""
    before = leak_check.state(descriptors=True)
    yield
    request.node.funcargs.clear()  # pytest keeps a test's arguments longer than the test
    left = leak_check.left_behind(before, descriptors=True)
    assert not left, f"left behind: {left}"


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """By this process, for tests that interrupt it: who started the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
