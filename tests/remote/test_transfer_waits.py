"""Who waits at an end is woken, also if the other end changes processes meanwhile (§11, §13.2)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from puppets import TIMEOUT, Puppet

from mojo_seq import (
    Handle,
    Result,
    Signals,
    SimpleWatcher,
    ThreadPool,
    WaitSet,
    Watcher,
    aio,
    create_data_pipe,
    create_message_pipe,
    wait,
    wait_many,
)

R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED
Wait = Callable[[Handle, Signals, threading.Event], Result]

# Each sets the event when it is about to wait, or certainly waits, and returns what it waited for.


def with_wait(handle: Handle, signals: Signals, waiting: threading.Event) -> Result:
    waiting.set()
    return wait(handle, signals, TIMEOUT)[0]


def with_wait_many(handle: Handle, signals: Signals, waiting: threading.Event) -> Result:
    other, peer = create_message_pipe()
    with other, peer:
        waiting.set()
        return wait_many([(other, R), (handle, signals)], TIMEOUT)[0]


def with_wait_set(handle: Handle, signals: Signals, waiting: threading.Event) -> Result:
    waits = WaitSet()
    waits.add_handle(handle, signals)
    waiting.set()
    (ready,) = waits.wait(timeout=TIMEOUT).ready
    return ready.result


def with_watcher(handle: Handle, signals: Signals, waiting: threading.Event) -> Result:
    results: list[Result] = []
    told = threading.Event()

    def notify(context: object, result: Result, *_: object) -> None:
        results.append(result)
        told.set()

    with Watcher(notify) as watcher:
        watcher.watch(handle, signals, None)
        assert watcher.arm() == []
        waiting.set()
        assert told.wait(TIMEOUT)
    return results[0]


def with_simple_watcher(handle: Handle, signals: Signals, waiting: threading.Event) -> Result:
    results: list[Result] = []
    told = threading.Event()

    def notify(result: Result, *_: object) -> None:
        results.append(result)
        told.set()

    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()
        watcher = runner.submit(SimpleWatcher).result(TIMEOUT)
        runner.submit(watcher.watch, handle, signals, notify).result(TIMEOUT)
        waiting.set()
        assert told.wait(TIMEOUT)
        runner.submit(watcher.close).result(TIMEOUT)
    return results[0]


def with_asyncio(handle: Handle, signals: Signals, waiting: threading.Event) -> Result:
    async def main() -> Result:
        asyncio.get_running_loop().call_soon(waiting.set)
        return (await asyncio.wait_for(aio.wait(handle, signals), TIMEOUT))[0]

    return asyncio.run(main())


WAITS: dict[str, Wait] = {
    "wait": with_wait,
    "wait_many": with_wait_many,
    "WaitSet": with_wait_set,
    "Watcher": with_watcher,
    "SimpleWatcher": with_simple_watcher,
    "asyncio": with_asyncio,
}
waits = pytest.mark.parametrize("means", WAITS)
kinds = pytest.mark.parametrize("kind", ["message pipe", "producer", "consumer"])


def make(kind: str) -> tuple[Handle, Handle, Signals]:
    """An end at which to wait, the one that moves, and what to wait for."""
    if kind == "message pipe":
        return *create_message_pipe(), R
    producer, consumer = create_data_pipe(4)
    if kind == "consumer":
        return consumer, producer, R
    producer.write(b"full")
    return producer, consumer, W


class Waiting:
    """A thread that waits at a handle."""

    def __init__(self, means: str, handle: Handle, signals: Signals) -> None:
        self._results: list[Result] = []
        waiting = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self._results.append(WAITS[means](handle, signals, waiting))
        )
        self._thread.start()
        assert waiting.wait(TIMEOUT)

    def result(self) -> Result:
        self._thread.join()
        (result,) = self._results
        return result


@waits
@kinds
def test_the_other_end_leaves_and_is_used(
    child: Puppet, closing: list[Handle], kind: str, means: str
) -> None:
    """It was a local pipe when the wait began."""
    near, moving, signals = make(kind)
    closing += [near, moving]
    waiting = Waiting(means, near, signals)
    there = child.give(moving)
    use_there(there, kind)
    assert waiting.result() is Result.OK


@waits
@kinds
def test_the_other_end_comes_home_and_is_used(
    child: Puppet, closing: list[Handle], kind: str, means: str
) -> None:
    """It was a pipe to another process when the wait began."""
    near, moving, signals = make(kind)
    closing += [near, moving]
    there = child.give(moving)
    waiting = Waiting(means, near, signals)
    home = child.take(there)
    closing.append(home)
    use_here(home, kind)
    assert waiting.result() is Result.OK


@waits
@kinds
def test_the_other_end_moves_ten_times_and_is_used(
    child: Puppet, closing: list[Handle], kind: str, means: str
) -> None:
    """There and home, there and home; the last use is there."""
    near, moving, signals = make(kind)
    closing += [near, moving]
    waiting = Waiting(means, near, signals)
    for _ in range(5):
        there = child.give(moving)
        moving = child.take(there)
    there = child.give(moving)
    use_there(there, kind)
    assert waiting.result() is Result.OK


@waits
@kinds
def test_the_other_end_leaves_and_is_closed(
    child: Puppet, closing: list[Handle], kind: str, means: str
) -> None:
    """System rules §13.11: what was waited for can never be."""
    near, moving, signals = make(kind)
    closing += [near, moving]
    waiting = Waiting(means, near, signals)
    child.give(moving).close()
    assert waiting.result() is Result.FAILED_PRECONDITION


@waits
@kinds
def test_the_other_end_leaves_and_its_process_dies(
    puppets: Callable[[], Puppet], closing: list[Handle], kind: str, means: str
) -> None:
    """System rules §13.6."""
    child = puppets()
    near, moving, _ = make(kind)
    closing += [near, moving]
    waiting = Waiting(means, near, PC)
    child.give(moving)
    child.kill()
    assert waiting.result() is Result.OK


@waits
@kinds
def test_the_end_itself_leaves(child: Puppet, closing: list[Handle], kind: str, means: str) -> None:
    """System rules §4.5: CANCELLED, whether its peer is here or there."""
    near, other, signals = make(kind)
    closing += [near, other]
    if means == "wait":
        child.give(other)
    waiting = Waiting(means, near, signals)
    child.give(near)
    assert waiting.result() is Result.CANCELLED


def use_here(handle: object, kind: str) -> None:
    if kind == "producer":  # its peer is the consumer
        assert handle.read(2) == b"fu"  # type: ignore[attr-defined]
    else:
        handle.write(b"x")  # type: ignore[attr-defined]


use_there = use_here  # a Remote has the same methods
