"""Large arguments are copied where nobody has to wait for it: not with the pool's lock."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import array_tasks
import numpy as np
import pytest
from gate import Gate, pass_through

from mojo_seq import WorkerDiedError, _core
from mojo_seq.pool import ProcessPool

TIMEOUT = 30.0
COUNT = 300_000


class _Copying:
    """Stops the copying of what is large until it may go on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._go_on = threading.Event()
        self._copy = _core.copy_bytes
        self._begun = threading.Semaphore(0)
        patch.setattr(_core, "copy_bytes", self._stop)

    def _stop(self, target: Any, source: Any) -> None:
        self._begun.release()
        assert self._go_on.wait(TIMEOUT)
        self._copy(target, source)

    def wait_for_one(self) -> None:
        assert self._begun.acquire(timeout=TIMEOUT)

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Copying]:
    made = _Copying(monkeypatch)
    yield made
    made.go_on()


@pytest.fixture
def array() -> Any:
    return np.arange(COUNT, dtype=float)


def submit_aside(pool: ProcessPool, *call: Any) -> tuple[threading.Thread, list[Future[Any]]]:
    """On a thread of its own."""
    futures: list[Future[Any]] = []
    thread = threading.Thread(target=lambda: futures.append(pool.submit(*call)))
    thread.start()
    return thread, futures


def test_others_submit_meanwhile(pool: ProcessPool, copying: _Copying, array: Any) -> None:
    pool.submit(int).result(TIMEOUT)  # there is a worker
    thread, futures = submit_aside(pool, array_tasks.same, array)
    copying.wait_for_one()
    assert [pool.submit(abs, -n).result(TIMEOUT) for n in range(5)] == list(range(5))
    copying.go_on()
    thread.join()
    assert (futures[0].result(TIMEOUT) == array).all()


def test_others_submit_while_what_has_waited_is_copied(
    copying: _Copying, array: Any, gate: Gate
) -> None:
    with ProcessPool(1) as pool:
        held = pool.submit(pass_through, gate.path, "held")
        gate.next_begun()
        done: list[str] = []
        large = pool.submit(array_tasks.same, array)
        large.add_done_callback(lambda _: done.append("large"))
        gate.open()
        copying.wait_for_one()
        small = pool.submit(abs, -5)
        small.add_done_callback(lambda _: done.append("small"))
        copying.go_on()
        assert small.result(TIMEOUT) == 5 and (large.result(TIMEOUT) == array).all()
        assert held.result(TIMEOUT) == "held" and done == ["large", "small"]


def test_what_is_being_copied_can_be_cancelled(copying: _Copying, array: Any, gate: Gate) -> None:
    with ProcessPool(1) as pool:
        pool.submit(pass_through, gate.path)
        gate.next_begun()
        large = pool.submit(array_tasks.same, array)
        gate.open()
        copying.wait_for_one()
        assert large.cancel()
        last = pool.submit(abs, -5)
        copying.go_on()
        assert last.result(TIMEOUT) == 5
        with pytest.raises(CancelledError):
            large.result(TIMEOUT)


def test_the_pool_may_end_while_one_that_was_cancelled_is_copied(
    copying: _Copying, array: Any, gate: Gate
) -> None:
    pool = ProcessPool(1)
    pool.submit(pass_through, gate.path)
    gate.next_begun()
    large = pool.submit(array_tasks.same, array)
    gate.open()
    copying.wait_for_one()
    pool.shutdown(wait=False, cancel_futures=True)
    assert large.cancelled()
    copying.go_on()
    pool.shutdown()


def test_its_worker_may_die_meanwhile(copying: _Copying, array: Any) -> None:
    with ProcessPool(1) as pool:
        worker = pool.submit(os.getpid).result(TIMEOUT)
        thread, futures = submit_aside(pool, array_tasks.same, array)
        copying.wait_for_one()
        os.kill(worker, signal.SIGKILL)
        copying.go_on()
        thread.join()
        again = pool.with_options(retries=1).submit(os.getpid)  # behind it
        assert again.result(TIMEOUT) != worker
        error = futures[0].exception(TIMEOUT)  # lost with the worker, unless that was seen first
        assert error is None or isinstance(error, WorkerDiedError)


def test_another_may_be_given_its_worker(copying: _Copying, array: Any, gate: Gate) -> None:
    with ProcessPool(1) as pool:
        pool.submit(int).result(TIMEOUT)
        thread, futures = submit_aside(pool, array_tasks.same, array)
        copying.wait_for_one()
        held = pool.submit(pass_through, gate.path, "held")
        gate.next_begun()
        copying.go_on()
        thread.join()
        gate.open()
        assert (futures[0].result(TIMEOUT) == array).all() and held.result(TIMEOUT) == "held"


def test_copies_are_of_one_size() -> None:
    target = bytearray(200_000)
    _core.copy_bytes(memoryview(target)[1:], b"x" * 199_999)
    assert target == b"\0" + b"x" * 199_999
    _core.copy_bytes(memoryview(target)[:1], b"y")
    assert target[:2] == b"yx"
    with pytest.raises(ValueError, match="2 bytes are no 3"):
        _core.copy_bytes(bytearray(3), b"xx")
    with pytest.raises(BufferError):
        _core.copy_bytes(b"xx", b"yy")
