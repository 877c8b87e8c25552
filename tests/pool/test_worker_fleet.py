"""WorkerFleet: workers are replaced when they die, and ended when they do not."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pool_services
import pytest
from polling import eventually
from pool_services import answer_pid, ask, next_message, start_workers

from mojo_seq import MessagePipeHandle
from mojo_seq.pool import ProcessPool, restart_backoff, worker_fleet

WaitClosed = Callable[[MessagePipeHandle], None]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def kill(pid: int, pipe: MessagePipeHandle, wait_closed: WaitClosed) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_closed(pipe)
    pipe.close()


# --- replacing ---


def test_one_that_has_lived_is_replaced_at_once(
    pool: ProcessPool, wait_closed: WaitClosed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart_backoff, "_EARLY", 0.0)
    (pipe, pid), (other_pipe, other_pid) = start_workers(pool, 2)
    kill(pid, pipe, wait_closed)
    pause = threading.Event()
    while None in (pids := {worker.pid for worker in pool.__actor_workers__()}) or pid in pids:
        pause.wait(0.005)
    assert other_pid in pids
    other_pipe.close()


@pytest.mark.usefixtures("reason_is_awaited")
def test_one_that_has_died_early_is_replaced_when_it_is_needed(
    pool: ProcessPool, wait_closed: WaitClosed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_EARLY", "_FIRST", "_LONGEST"):
        monkeypatch.setattr(restart_backoff, name, 3600.0)
    worker = pool.choose_worker()
    with worker.open_service(pool_services.kill_self) as pipe:
        wait_closed(pipe)
    assert worker.exit_reason() is not None
    first, second = pool.__actor_workers__()
    assert worker not in (first, second)
    assert (first.pid, second.pid) == (None, None)
    assert pool.choose_worker() is second  # which does not have to wait
    assert first.is_alive
    first.not_before = 0.0  # an hour later
    with first.open_service(answer_pid) as pipe:
        assert int(next_message(pipe)) == first.pid


@pytest.mark.usefixtures("reason_is_awaited")
def test_a_dead_one_is_not_chosen_again(pool: ProcessPool, wait_closed: WaitClosed) -> None:
    """Not even when nothing but the end of a service was seen of that."""
    for _ in range(3):
        worker = pool.choose_worker()
        for other in pool.__actor_workers__():
            other.load = int(other is not worker)
        with worker.open_service(pool_services.kill_self) as pipe:
            wait_closed(pipe)
        assert worker.exit_reason() is not None
        assert pool.choose_worker() is not worker


@pytest.mark.usefixtures("reason_is_awaited")
def test_replacements_are_replaced(wait_closed: WaitClosed) -> None:
    with ProcessPool(1) as pool:
        pids = set()
        for _ in range(4):
            [(pipe, pid)] = start_workers(pool, 1)
            pids.add(pid)
            worker = pool.choose_worker()
            kill(pid, pipe, wait_closed)
            assert worker.exit_reason() == f"{worker.process!r} was killed by SIGKILL"
        assert len(pids) == 4


@pytest.mark.usefixtures("reason_is_awaited")
def test_they_are_replaced_while_many_use_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees the end of a service opens another one, and gets an answer in the end."""
    monkeypatch.setattr(restart_backoff, "_LONGEST", 0.1)
    stop = threading.Event()
    failures: list[str] = []

    def use(pool: ProcessPool) -> None:
        while not stop.is_set():
            worker = pool.choose_worker()
            with worker.open_service(pool_services.echo) as pipe:
                if not ask(pipe, b"question") and worker.exit_reason() is None:
                    failures.append("an answer was lost, but no worker")

    with ProcessPool(2) as pool:
        threads = [threading.Thread(target=use, args=(pool,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(15):
            worker = pool.choose_worker()
            with worker.open_service(pool_services.echo) as pipe:
                if ask(pipe, b"up") and worker.process is not None:
                    worker.process.kill()
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


# --- initializers, and workers that cannot be ---


def test_the_initializer_is_run_before_all_services(pool: ProcessPool) -> None:
    with ProcessPool(1, initializer=pool_services.append, initargs=("one", 2)) as pool:
        pipes = [pool.choose_worker().open_service(pool_services.answer_state) for _ in range(2)]
        assert [next_message(pipe) for pipe in pipes] == [b"['one', 2, True]"] * 2
        for pipe in pipes:
            pipe.close()


@pytest.mark.parametrize(
    ("initializer", "argument", "what"),
    [
        (pool_services.fail, "for some reason", "ValueError: for some reason"),
        (pool_services.fail, "\udcff", "ValueError: \\udcff"),
        (pool_services.leave, 3, "SystemExit: 3"),
        (pool_services.answer, pool_services.FailsToArrive(), "ValueError: not at the destination"),
    ],
)
def test_an_initializer_that_fails(
    wait_closed: WaitClosed,
    caplog: pytest.LogCaptureFixture,
    initializer: Callable[..., object],
    argument: object,
    what: str,
) -> None:
    with ProcessPool(1, initializer=initializer, initargs=[argument]) as pool:
        worker = pool.choose_worker()
        with worker.open_service(pool_services.echo) as pipe:
            pipe.write(b"in vain")
            wait_closed(pipe)
            reason = f"worker 1 (pid {worker.pid}) is gone: its initializer raised {what}"
            eventually(lambda: worker.exit_reason() == reason)  # it takes a moment to end
        assert not worker.is_alive
        # It is tried again when somebody wants it, and not before.
        [successor] = pool.__actor_workers__()
        assert (successor.pid, successor.is_alive) == (None, True)


@pytest.mark.usefixtures("reason_is_awaited")
def test_an_initializer_that_does_not_fail_any_more(
    tmp_path: Path, wait_closed: WaitClosed
) -> None:
    obstacle = tmp_path / "obstacle"
    obstacle.touch()
    with ProcessPool(
        1, initializer=pool_services.fail_on_request, initargs=[str(obstacle)]
    ) as pool:
        worker = pool.choose_worker()
        with worker.open_service(answer_pid) as pipe:
            wait_closed(pipe)
        assert "LookupError" in str(worker.exit_reason())
        obstacle.unlink()
        [(pipe, _)] = start_workers(pool, 1)
        pipe.close()


@pytest.mark.usefixtures("reason_is_awaited")
def test_an_interpreter_that_cannot_be_started(
    pool: ProcessPool, wait_closed: WaitClosed, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = pool.choose_worker()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        with worker.open_service(answer_pid) as pipe:
            wait_closed(pipe)
        reason = str(worker.exit_reason())
    assert reason.startswith("worker 1 is gone: it could not be started: ")
    assert "/nowhere/python" in reason
    assert (worker.pid, worker.exitcode) == (None, None)
    [(pipe, _)] = start_workers(pool, 1)
    pipe.close()


# --- ending ---


def test_a_worker_that_does_not_end_is_terminated(
    pool: ProcessPool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_fleet, "_GRACE_PERIOD", 0.05)
    worker = pool.choose_worker()
    with worker.open_service(pool_services.stay_at_exit) as pipe:
        next_message(pipe)
        pool.shutdown()
    assert worker.exitcode == -signal.SIGTERM
    assert warnings_of(caplog) == [f"worker 1 (pid {worker.pid}) does not end: it is terminated"]


def test_a_worker_that_cannot_be_terminated_is_killed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_fleet, "_GRACE_PERIOD", 0.05)
    monkeypatch.setattr(worker_fleet, "_TERMINATION_PERIOD", 0.05)
    pool = ProcessPool(1, initializer=pool_services.ignore_termination)
    worker = pool.choose_worker()
    with worker.open_service(pool_services.stop_python) as pipe:
        next_message(pipe)
        pool.shutdown()
    assert worker.exitcode == -signal.SIGKILL
    assert [each.rpartition(" ")[2] for each in warnings_of(caplog)] == ["terminated", "killed"]


def test_the_periods_are_those_of_a_child_process() -> None:
    assert (worker_fleet._GRACE_PERIOD, worker_fleet._TERMINATION_PERIOD) == (5.0, 2.0)


def test_one_that_was_lost_and_does_not_end_is_killed(
    wait_closed: WaitClosed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is not kept waiting."""
    monkeypatch.setattr(worker_fleet, "_GRACE_PERIOD", 0.05)
    obstacle = pool_services.stay_at_end
    with ProcessPool(1, initializer=obstacle, initargs=[]) as pool:
        worker = pool.choose_worker()
        with worker.open_service(pool_services.close_control) as pipe:
            wait_closed(pipe)
        while worker.exitcode is None:
            worker.exit_reason()
        assert worker.exitcode == -signal.SIGKILL


def test_a_log_handler_cannot_shut_the_pool_down(pool: ProcessPool) -> None:
    """It would wait for itself. Handlers may be called by the thread that reaps."""
    worker = pool.choose_worker()
    errors: list[str] = []
    fleet = pool._fleet
    with worker.open_service(answer_pid) as pipe:
        next_message(pipe)
        assert fleet._loop is not None

        def shut_down() -> None:
            try:
                fleet.join()
            except RuntimeError as error:
                errors.append(str(error))

        fleet._loop.task_runner.submit(shut_down).result(pool_services.TIMEOUT)
    assert errors == ["a pool cannot be shut down by a handler of its workers' log"]
