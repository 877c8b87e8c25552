"""Fixtures of the tests of actors in other processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import pytest

# Other processes import what they run by name, and the package has the same name on both sides.
sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from strangers import Depot
from strangers.far_end import FarEnd, connect, connect_apart
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import Actor, ActorRef, ActorSystem, MessagePipeHandle, ProcessPool, _core
from mojo_seq.actor.remote.connection import Connection


@pytest.fixture(scope="module", autouse=True)
def threads_of_all_tests() -> Iterator[None]:
    """Those of pools, and what multiprocessing needs, are there before anything is counted."""
    resource_tracker.ensure_running()
    forkserver.ensure_running()
    with ProcessPool(1) as pool:
        with ActorSystem(1) as system:
            assert system.spawn(Depot, on=pool).add(1).result(TIMEOUT) == 1
        yield


@pytest.fixture
def memory_given_back(
    settled: None, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> Iterator[None]:
    """What is kept for the next large messages is not left behind, nor the actors and exceptions
    in what was logged at the end of pools and systems."""
    yield
    caplog.clear()
    plugin: Any = request.config.pluginmanager.get_plugin("logging-plugin")
    plugin.report_handler.reset()
    _core.release_cached_memory()


@pytest.fixture
def pool(memory_given_back: None) -> Iterator[ProcessPool]:
    """Two workers of this test's own."""
    with ProcessPool(2) as made:
        yield made


@pytest.fixture
def system(pool: ProcessPool) -> Iterator[ActorSystem]:
    """A system that ends before the pool does."""
    with ActorSystem(2) as made:
        yield made


@pytest.fixture
def put(system: ActorSystem, pool: ProcessPool) -> Put:
    """Spawns an actor in a worker process."""

    def make(actor_class: type[Actor], /, *args: Any, **options: Any) -> ActorRef[Any]:
        return system.spawn(actor_class, *args, on=pool, **options)

    return make


@pytest.fixture
def ends() -> Iterator[tuple[Connection, MessagePipeHandle]]:
    """A connection, and the node's end of it."""
    connection, far = connect()
    yield connection, far
    connection.close()
    far.close()


@pytest.fixture
def ends_apart() -> Iterator[tuple[Connection, FarEnd]]:
    """A connection, and its other end, which it takes to be in another process."""
    connection, far = connect_apart()
    yield connection, far
    connection.close()
    far.pipe.close()
