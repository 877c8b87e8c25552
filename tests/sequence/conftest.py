"""Fixtures of the sequence tests: one of each kind of task runner, and a way to keep it busy."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mojo_seq import AsyncioTaskRunner, RunLoop, SequencedTaskRunner, ThreadPool
from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

TIMEOUT = 30.0


@pytest.fixture(autouse=True)
def forget_logs(caplog: pytest.LogCaptureFixture, nothing_left_behind: None) -> Iterator[None]:
    """Before what is left is counted: the tracebacks of logged errors refer to tests' objects."""
    yield
    caplog.get_records("call").clear()


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """A pool of four workers."""
    with ThreadPool(max_workers=4) as made:
        yield made


@contextmanager
def on_pool() -> Iterator[SequencedTaskRunner]:
    with ThreadPool(max_workers=4) as pool:
        yield pool.create_sequenced_task_runner()


@contextmanager
def on_single_thread() -> Iterator[SequencedTaskRunner]:
    with ThreadPool(max_workers=4) as pool:
        yield pool.create_single_thread_task_runner()


@contextmanager
def on_run_loop() -> Iterator[SequencedTaskRunner]:
    loop = RunLoop()
    thread = threading.Thread(target=loop.run)
    thread.start()
    yield loop.task_runner
    loop.quit()
    thread.join()


@contextmanager
def on_asyncio() -> Iterator[SequencedTaskRunner]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield AsyncioTaskRunner(loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


KINDS = {
    "pool": on_pool,
    "single_thread": on_single_thread,
    "run_loop": on_run_loop,
    "asyncio": on_asyncio,
}


@pytest.fixture(params=KINDS)
def runner(request: pytest.FixtureRequest) -> Iterator[SequencedTaskRunner]:
    """Each kind of task runner, at work on a thread other than the test's."""
    with KINDS[request.param]() as made:
        yield made


@pytest.fixture(params=KINDS)
def other_runner(request: pytest.FixtureRequest) -> Iterator[SequencedTaskRunner]:
    """A second one, of each kind again."""
    with KINDS[request.param]() as made:
        yield made


@pytest.fixture(params=["pool", "single_thread", "run_loop"])
def event_loop(request: pytest.FixtureRequest) -> Iterator[SequenceEventLoop]:
    """An event loop on each kind of task runner that has none."""
    with KINDS[request.param]() as runner:
        loop = SequenceEventLoop(runner)
        yield loop
        runner.submit(loop.close).result(TIMEOUT)


@pytest.fixture
def hold() -> Iterator[Callable[[SequencedTaskRunner], threading.Event]]:
    """Keeps a runner busy until the returned event is set, or the test ends."""
    gates: list[threading.Event] = []

    def make(runner: SequencedTaskRunner) -> threading.Event:
        entered, gate = threading.Event(), threading.Event()

        def wait_for_gate() -> None:
            entered.set()
            gate.wait()

        gates.append(gate)
        runner.post_task(wait_for_gate)
        assert entered.wait(TIMEOUT)
        return gate

    yield make
    for gate in gates:
        gate.set()
