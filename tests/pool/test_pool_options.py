"""PoolOptions: timeouts and retries."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import executor_tasks as tasks
import pytest
from gate import Gate, pass_and_die, pass_through
from polling import eventually

from mojo_seq import (
    DeadlineExceededError,
    InvalidArgumentError,
    MessagePipeHandle,
    PeerClosedError,
    ProcessPool,
    WorkerDiedError,
    create_message_pipe,
)
from mojo_seq.pool import task_timers

TIMEOUT = 30.0
SHORT = 0.05
HOUR = 3600.0


# --- timeout ---


def test_a_task_that_takes_too_long_is_ended(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        pid = pool.submit(tasks.pid_of).result(TIMEOUT)
        future = pool.with_options(timeout=SHORT).submit(pass_through, gate.path)
        with pytest.raises(DeadlineExceededError, match=r"gate\.pass_through.* within 0\.05 s"):
            future.result(TIMEOUT)
        assert not os.path.exists(f"/proc/{pid}")
        assert pool.submit(tasks.multiply, 6, 7).result(TIMEOUT) == 42


def test_it_counts_from_the_begin(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits, in the queue or in a worker's pipe, has its full time then."""
    with ProcessPool(1) as pool, gate:
        list(pool.map(abs, range(100)))  # short ones are sent ahead from now on
        first = pool.submit(pass_through, gate.path)
        gate.next_begun()
        limited = pool.with_options(timeout=HOUR)
        waiting = [limited.submit(pass_through, gate.path, number) for number in range(3)]
        limited.submit(abs, -1).cancel()
        dispatcher, later = pool._dispatcher, time.monotonic() + HOUR + 1

        def none_is_due() -> bool:
            with dispatcher.lock:
                return dispatcher.timers.pause() != 0.0

        with monkeypatch.context() as patched:
            patched.setattr(task_timers, "monotonic", lambda: later)
            dispatcher.wake()
            eventually(none_is_due)
        assert not any(each.done() for each in waiting)
        gate.open()
        assert first.result(TIMEOUT) is None
        assert [each.result(TIMEOUT) for each in waiting] == [0, 1, 2]


def test_nobody_else_suffers(gate: Gate) -> None:
    """What was sent behind the one that takes too long is done by another worker."""
    with ProcessPool(1) as pool, gate:
        list(pool.map(abs, range(100)))
        late = pool.with_options(timeout=SHORT).submit(pass_through, gate.path)
        others = [pool.submit(tasks.multiply, number, 2) for number in range(50)]
        with pytest.raises(DeadlineExceededError):
            late.result(TIMEOUT)
        assert [each.result(TIMEOUT) for each in others] == [2 * n for n in range(50)]


def test_a_task_in_time_is_not_concerned(pool: ProcessPool) -> None:
    limited = pool.with_options(timeout=TIMEOUT)
    assert list(limited.map(abs, range(-5, 5))) == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]


def test_a_task_that_has_timed_out_is_not_run_again(pool: ProcessPool, gate: Gate) -> None:
    future = pool.with_options(timeout=0.5, retries=5).submit(pass_through, gate.path)
    with pytest.raises(DeadlineExceededError):
        future.result(TIMEOUT)
    if not gate.none_has_begun():  # it had its time, but who knows how much of a processor
        gate.next_begun()
    assert gate.none_has_begun()


# --- retries ---


def test_a_task_is_run_again_when_its_worker_has_died(pool: ProcessPool, tmp_path: Path) -> None:
    path = str(tmp_path / "there")
    future = pool.with_options(retries=1).submit(tasks.die_unless_there, path, "value")
    assert future.result(TIMEOUT) == "value"


def test_not_more_often_than_was_asked_for(pool: ProcessPool, tmp_path: Path) -> None:
    path = tmp_path / "count"
    future = pool.with_options(retries=2).submit(tasks.count_and_die, str(path))
    assert isinstance(future.exception(TIMEOUT), WorkerDiedError)
    assert len(path.read_text()) == 3


def test_exceptions_are_no_reason(pool: ProcessPool, gate: Gate) -> None:
    future = pool.with_options(retries=3).submit(tasks.divide, 1, 0)
    assert isinstance(future.exception(TIMEOUT), ZeroDivisionError)


def test_arrays_are_sent_again(pool: ProcessPool, tmp_path: Path) -> None:
    path = str(tmp_path / "there")
    data = bytes(range(256)) * 4096
    future = pool.with_options(retries=1).submit(tasks.die_unless_there, path, data)
    assert future.result(TIMEOUT) == data


def test_handles_cannot_be_sent_again(pool: ProcessPool, gate: Gate) -> None:
    near, far = create_message_pipe()
    with near:
        gate.open()
        future = pool.with_options(retries=3).submit(die_with, gate.path, far)
        assert isinstance(future.exception(TIMEOUT), WorkerDiedError)
        with pytest.raises(PeerClosedError):
            near.write()


def die_with(path: str, pipe: MessagePipeHandle) -> None:
    pass_and_die(path)


# --- the view ---


def test_it_is_the_same_pool(pool: ProcessPool) -> None:
    view = pool.with_options(timeout=1.0, retries=2)
    assert view.max_workers == pool.max_workers
    assert repr(view) == f"<{pool!r} with timeout=1.0 retries=2>"
    view.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(abs, 1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": -1}, InvalidArgumentError),
        ({"timeout": float("nan")}, InvalidArgumentError),
        ({"retries": -1}, InvalidArgumentError),
        ({"retries": 1.5}, TypeError),
        ({"timeout": "1"}, TypeError),
    ],
)
def test_bad_options(pool: ProcessPool, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        pool.with_options(**options)


# --- cancelling what runs ---


def test_killing_what_does_not_end(pool: ProcessPool, gate: Gate) -> None:
    future = pool.submit(pass_through, gate.path)
    pid = gate.next_begun()
    future.kill_after(0)
    eventually(future.done)
    assert future.cancelled()
    eventually(lambda: not os.path.exists(f"/proc/{pid}"))


def test_killing_later_what_is_over_by_then(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProcessPool(1) as pool, gate:
        future = pool.submit(pass_through, gate.path, "value")
        pid = gate.next_begun()
        future.kill_after(3_600)
        gate.open()
        assert future.result(TIMEOUT) == "value"
        later = time.monotonic() + 3_601
        monkeypatch.setattr(task_timers, "monotonic", lambda: later)
        pool._dispatcher.wake()
        assert {pool.submit(tasks.pid_of).result(TIMEOUT) for _ in range(20)} == {pid}


def test_killing_what_has_not_begun_cancels_it(gate: Gate) -> None:
    with ProcessPool(1) as pool, gate:
        first = pool.submit(pass_through, gate.path, 1)
        gate.next_begun()
        second = pool.submit(pass_through, gate.path, 2)
        second.kill_after(0)
        eventually(second.cancelled)
        gate.open()
        assert first.result(TIMEOUT) == 1
        assert gate.none_has_begun()
