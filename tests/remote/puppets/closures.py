"""The ways in which a child notices that the peer of a handle was closed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    SimpleWatcher,
    ThreadPool,
    Watcher,
    wait_many,
)
from puppets.pipes import receive_handle, wait_for
from puppets.wire import TIMEOUT

PC = Signals.PEER_CLOSED


def by_wait(handle: Handle) -> None:
    wait_for(handle, PC)


def by_wait_many(handle: Handle) -> None:
    result, index, _ = wait_many([(handle, PC)], TIMEOUT)
    assert (result, index) == (0, 0), result


def by_watcher(handle: Handle) -> None:
    noticed = threading.Event()
    with Watcher(lambda *_: noticed.set()) as watcher:
        watcher.watch(handle, PC, None)
        if not watcher.arm():
            assert noticed.wait(TIMEOUT)


def by_simple_watcher(handle: Handle) -> None:
    noticed = threading.Event()
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()
        watcher = runner.submit(SimpleWatcher).result(TIMEOUT)
        runner.submit(watcher.watch, handle, PC, lambda *_: noticed.set()).result(TIMEOUT)
        assert noticed.wait(TIMEOUT)
        runner.submit(watcher.close).result(TIMEOUT)


def _poll(attempt: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            attempt()
        except ShouldWaitError:
            pass
        except PeerClosedError:
            return
        assert time.monotonic() < deadline, "not noticed"
        time.sleep(0)  # the other processes need a processor, too


def by_polling_read(handle: Handle) -> None:
    assert isinstance(handle, MessagePipeHandle | DataPipeConsumerHandle)
    _poll(handle.read)


def by_polling_write(handle: Handle) -> None:
    assert isinstance(handle, MessagePipeHandle | DataPipeProducerHandle)
    _poll(lambda: handle.write(b"x"))


def notice_each(carrier: MessagePipeHandle, count: int, notice: Callable[[Handle], None]) -> None:
    """Receives handles, one by one, and waits for each until its peer is closed."""
    for _ in range(count):
        with receive_handle(carrier) as handle:
            notice(handle)


def close_each(handles: list[Handle], seed: int) -> None:
    """Closes handles, one by one, after pauses of up to 200 µs."""
    rng = random.Random(seed)
    for handle in handles:
        until = time.perf_counter() + rng.random() * 200e-6
        while time.perf_counter() < until:
            pass
        handle.close()


def send_each(carrier: MessagePipeHandle, handles: list[Handle], seed: int) -> None:
    """Sends handles away, one by one, after pauses of up to 200 µs."""
    rng = random.Random(seed)
    for handle in handles:
        until = time.perf_counter() + rng.random() * 200e-6
        while time.perf_counter() < until:
            pass
        carrier.write(b"", [handle])
