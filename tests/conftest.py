"""What holds for every test: it leaves nothing behind. And which ones a run is about."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401  (its plugin imports it at the session's end, too late for us)
import pytest

from mojo_seq.testing import leak_check

TESTS = Path(__file__).parent
RINGS = "MOJO_SEQ_RINGS"  # children inherit it
MODES = ("auto", "always", "never")
# All in these goes from one process to another, or could. Elsewhere the tests that do are marked.
ACROSS_PROCESSES = ("actor/remote", "integrations", "pool", "process", "remote")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rings",
        choices=MODES,
        help="only the tests that cross processes, with this mode of the rings of message pipes",
    )


def pytest_configure(config: pytest.Config) -> None:
    if mode := config.getoption("rings"):
        os.environ[RINGS] = mode
    elif (mode := os.environ.get(RINGS, "auto")) not in MODES:  # which the library does not mind
        raise pytest.UsageError(f"{RINGS} must be one of {', '.join(MODES)}, not {mode!r}")


def pytest_report_header() -> str:
    return f"rings: {os.environ.get(RINGS, 'as by default')}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor that this process may use: tests wait most of their time."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    folders = tuple(TESTS / folder for folder in ACROSS_PROCESSES)
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker("across_processes")
    if config.getoption("rings"):
        others = [item for item in items if not item.get_closest_marker("across_processes")]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.get_closest_marker("across_processes")]


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """What a worker of pytest-xdist tells has to be sent, with whatever a test has written."""
    return encodable((yield))


def encodable(value: Any) -> Any:
    """Without lone surrogates in texts, however deep."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {key: encodable(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(map(encodable, value))
    return value


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
def reason_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who know that a worker of a pool ends: `exit_reason` waits for that for as long as
    it takes, not for the moment after which it says that it does not know."""
    for name in ("_SERVICE_FIRST", "_LAST_MOMENTS"):
        monkeypatch.setattr(f"mojo_seq.pool.worker_process.{name}", 30.0)


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """By this process, for tests that interrupt it: who started the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
