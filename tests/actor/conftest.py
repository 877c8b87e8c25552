"""Fixtures of the actor tests: systems, and every kind of place that actors run at."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

# Workers import the actors by name, and the package has the same name on both sides.
sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from troupe import TIMEOUT, Gate, Journal
from troupe.fixtures import Gates, Place, RunThreads, Spawn, WaitEnded
from troupe.letters import Letters

from mojo_seq import (
    Actor,
    ActorRef,
    ActorSystem,
    AsyncioTaskRunner,
    ThreadPool,
    _core,
)


@contextmanager
def on_the_systems_pool() -> Iterator[Place]:
    yield lambda: None


@contextmanager
def on_a_pool() -> Iterator[Place]:
    with ThreadPool(max_workers=4, name="own") as pool:
        yield lambda: pool


@contextmanager
def on_single_threads() -> Iterator[Place]:
    with ThreadPool(max_workers=1, name="single") as pool:
        yield pool.create_single_thread_task_runner


@contextmanager
def on_event_loops() -> Iterator[Place]:
    with ExitStack() as stack:

        def make() -> AsyncioTaskRunner:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever)
            thread.start()
            stack.callback(loop.close)
            stack.callback(thread.join)
            stack.callback(loop.call_soon_threadsafe, loop.stop)
            return AsyncioTaskRunner(loop)

        yield make


PLACEMENTS = {
    "system": on_the_systems_pool,
    "pool": on_a_pool,
    "single": on_single_threads,
    "asyncio": on_event_loops,
}
PROCESS = "process"  # in workers that live as long as a module's tests
ALL_PLACEMENTS = [*PLACEMENTS, pytest.param(PROCESS, marks=pytest.mark.across_processes)]


@pytest.fixture(scope="module", autouse=True)
def workers() -> Iterator[Any]:
    """Worker processes that are there before anything is counted, as are this process's threads
    for talking to them."""
    from troupe.basic import Counter

    from mojo_seq import ProcessPool

    with ProcessPool(2) as pool:
        with ActorSystem(2) as system:
            counters = [system.spawn(Counter, on=pool) for _ in range(4)]
            assert [counter.add(1).result(TIMEOUT) for counter in counters] == [1] * 4
        yield pool


@pytest.fixture(autouse=True)
def settled(
    workers: Any, nothing_left_behind: None, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Before what is left is counted: logged tracebacks refer to tests' objects."""
    yield
    caplog.get_records("call").clear()
    _core.release_cached_memory()


@pytest.fixture(params=ALL_PLACEMENTS)
def placement(request: pytest.FixtureRequest, workers: Any, settled: None) -> Iterator[Place]:
    """Every kind of place in turn. Each call gives one, apart from the others."""
    if request.param == PROCESS:
        yield lambda: workers
        return
    with PLACEMENTS[request.param]() as place:
        yield place


@pytest.fixture(params=ALL_PLACEMENTS)
def other_placement(request: pytest.FixtureRequest, workers: Any, settled: None) -> Iterator[Place]:
    """The same again: with `placement`, all pairs."""
    if request.param == PROCESS:
        yield lambda: workers
        return
    with PLACEMENTS[request.param]() as place:
        yield place


@pytest.fixture(params=PLACEMENTS)
def here(request: pytest.FixtureRequest, settled: None) -> Iterator[Place]:
    """Every kind of place in this process, for what cannot leave it."""
    with PLACEMENTS[request.param]() as place:
        yield place


@pytest.fixture
def spawn_here(system: ActorSystem, here: Place) -> Spawn:
    """Spawns an actor at one of them."""

    def make(actor_class: type[Actor], /, *args: Any, **options: Any) -> ActorRef[Any]:
        return system.spawn(actor_class, *args, **{"on": here(), **options})

    return make


@pytest.fixture
def in_process(request: pytest.FixtureRequest) -> bool:
    """Whether the test's actors live in other processes."""
    return "process" in request.node.name.rpartition("[")[2]


@pytest.fixture
def heard(in_process: bool, spawn: Spawn) -> Callable[[], None]:
    """Returns when other processes have heard what they were told before: answers that they wait
    for come by other pipes, and no rule orders two pipes."""

    def wait() -> None:
        from troupe.basic import Counter

        if in_process:
            others = [spawn(Counter) for _ in range(4)]  # in every worker
            assert [each.add(1).result(TIMEOUT) for each in others] == [1] * 4

    return wait


@pytest.fixture
def logged_error(caplog: pytest.LogCaptureFixture) -> Callable[[], logging.LogRecord]:
    """The one error that is logged, when it has come: what other processes log comes by a pipe of
    its own."""

    def errors() -> list[logging.LogRecord]:
        return [each for each in caplog.records if each.levelname == "ERROR"]

    def wait() -> logging.LogRecord:
        deadline = time.monotonic() + TIMEOUT
        while not errors() and time.monotonic() < deadline:
            time.sleep(0.001)
        (record,) = errors()
        return record

    return wait


@pytest.fixture
def letters() -> Letters:
    """The system's dead letters."""
    return Letters()


@pytest.fixture
def system(
    request: pytest.FixtureRequest, letters: Letters, settled: None
) -> Iterator[ActorSystem]:
    """A system with four threads; it ends before the places of its actors do."""
    for name in ("placement", "other_placement", "here"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    with ActorSystem(max_workers=4) as made:
        made.on_dead_letter = letters.append
        yield made
    letters.clear()


@pytest.fixture
def spawn(system: ActorSystem, placement: Place) -> Spawn:
    """Spawns an actor at a place of the placement."""

    def make(actor_class: type[Actor], /, *args: Any, **options: Any) -> ActorRef[Any]:
        return system.spawn(actor_class, *args, **{"on": placement(), **options})

    return make


@pytest.fixture
def spawn_there(system: ActorSystem, other_placement: Place) -> Spawn:
    """Spawns an actor at a place of the other placement."""

    def make(actor_class: type[Actor], /, *args: Any, **options: Any) -> ActorRef[Any]:
        return system.spawn(actor_class, *args, **{"on": other_placement(), **options})

    return make


@pytest.fixture
def journal(system: ActorSystem) -> Iterator[Journal]:
    """Hears of what actors do."""
    made = Journal(system)
    yield made
    made.rest()


@pytest.fixture
def gates(system: ActorSystem) -> Iterator[Gates]:
    """Makes gates, that are opened at the end of the test at the latest."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate(system))
        return made[-1]

    yield make
    for gate in made:
        gate.open()


@pytest.fixture
def gate(gates: Gates) -> Gate:
    """One gate."""
    return gates()


@pytest.fixture
def wait_ended(system: ActorSystem) -> WaitEnded:
    """Waits until an actor has ended, and returns the reason."""

    def wait(ref: ActorRef[Any]) -> Any:
        ended = WaitForEnd()
        ref._target.watch_end(ended)
        assert ended.event.wait(TIMEOUT), f"{ref} has not ended"
        return ended.reason

    return wait


class WaitForEnd:
    """An end observer, as monitors are."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason: Any = None

    def on_down(self, identity: tuple[bytes, int], reason: Any) -> None:
        self.reason = reason
        self.event.set()


@pytest.fixture
def run_threads() -> RunThreads:
    """Calls a function with 0, 1, … on as many threads; what any of them raises is raised."""

    def run(count: int, function: Callable[[int], Any]) -> None:
        with ThreadPoolExecutor(count) as executor:
            for future in [executor.submit(function, number) for number in range(count)]:
                future.result(TIMEOUT)

    return run
