"""PoolWorker: services in a worker, and what is known of it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

import pool_services
import pytest
from pool_services import answer_pid, await_end, next_message, start_workers

from mojo_seq import BusyError, InvalidArgumentError, MessagePipeHandle, create_message_pipe
from mojo_seq.pool import ProcessPool
from mojo_seq.pool.pool_worker import PoolWorker

WaitClosed = Callable[[MessagePipeHandle], None]


@pytest.fixture
def worker(pool: ProcessPool) -> PoolWorker:
    """Not started yet."""
    return pool.choose_worker()


def test_a_service_has_a_pipe(worker: PoolWorker) -> None:
    """That can be written to before there is anybody to read."""
    with worker.open_service(pool_services.echo) as pipe:
        pipe.write(b"one")
        pipe.write(b"two")
        assert [next_message(pipe), next_message(pipe)] == [b"one", b"two"]


def test_a_service_has_arguments(worker: PoolWorker) -> None:
    with worker.open_service(pool_services.answer, 1, [2], "three") as pipe:
        assert next_message(pipe) == b"(1, [2], 'three')"


def test_handles_move_to_the_service(worker: PoolWorker) -> None:
    """Before the worker was started and after."""
    for _ in range(2):
        near, far = create_message_pipe()
        with near, worker.open_service(pool_services.answer_in, {"pipe": far}):
            assert not far.is_valid
            assert next_message(near) == b"from the parcel"


def test_services_share_the_worker_and_have_a_thread_each(worker: PoolWorker) -> None:
    pipes = [worker.open_service(answer_pid) for _ in range(10)]
    assert {int(next_message(pipe)) for pipe in pipes} == {worker.pid}
    with worker.open_service(pool_services.answer_thread) as pipe:
        assert next_message(pipe) == b"service answer_thread"
    for pipe in pipes:
        pipe.close()


def test_the_end_of_a_service_is_that_of_its_pipe(
    worker: PoolWorker, wait_closed: WaitClosed
) -> None:
    with worker.open_service(pool_services.answer) as pipe:
        assert next_message(pipe) == b"()"
        wait_closed(pipe)
    assert worker.exit_reason() is None
    assert worker.is_alive


# --- what goes wrong ---


def test_what_cannot_be_pickled_is_an_error_of_the_call(worker: PoolWorker) -> None:
    near, far = create_message_pipe()
    with near, far:
        with pytest.raises(TypeError) as caught:
            worker.open_service(pool_services.answer, far, threading.Lock())
        assert "argument 2 of open_service" in caught.value.__notes__[0]
        with pytest.raises(AttributeError) as unknown:
            worker.open_service(lambda pipe: None)
        assert "the target of open_service" in unknown.value.__notes__[0]
        with pytest.raises(TypeError, match="must be callable"):
            worker.open_service(1)  # type: ignore[arg-type]
        assert far.is_valid
    assert worker.pid is None  # nothing was needed


def test_handles_that_cannot_be_sent_stay_here(worker: PoolWorker) -> None:
    near, far = create_message_pipe()
    other_near, other_far = create_message_pipe()
    with near, far, other_near, other_far:
        with pytest.raises(BusyError):
            worker.open_service(pool_services.answer, other_far, far, far)
        near.close()
        with pytest.raises(InvalidArgumentError):
            worker.open_service(pool_services.answer, other_far, near)
        assert far.is_valid
        assert other_far.is_valid


def test_an_exception_of_a_service_is_logged_here(
    pool: ProcessPool, wait_closed: WaitClosed, caplog: pytest.LogCaptureFixture
) -> None:
    """One raises, one cannot even be unpickled; the next is none the worse for it."""
    worker = pool.choose_worker()
    for target, argument in (
        (pool_services.raise_error, "of a service"),
        (pool_services.answer, pool_services.FailsToArrive()),
    ):
        with worker.open_service(target, argument) as pipe:
            wait_closed(pipe)
    with worker.open_service(pool_services.answer) as pipe:
        assert next_message(pipe) == b"()"
    pool.shutdown()
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2
    text = "\n".join(str(record.exc_text) for record in errors)
    assert "ValueError: of a service" in text
    assert "ValueError: not at the destination" in text
    pid = worker.pid
    assert any(
        record.getMessage() == f"thread 'service raise_error' of process 'worker 1' (pid {pid}) "
        "ended by an exception"
        for record in errors
    )


def test_the_handles_of_what_fails_to_arrive_are_closed(
    worker: PoolWorker, wait_closed: WaitClosed
) -> None:
    near, far = create_message_pipe()
    with (
        near,
        worker.open_service(pool_services.answer, far, pool_services.FailsToArrive()) as pipe,
    ):
        wait_closed(near)
        wait_closed(pipe)


def test_what_a_worker_logs_arrives_here(
    pool: ProcessPool, wait_closed: WaitClosed, caplog: pytest.LogCaptureFixture
) -> None:
    with pool.choose_worker().open_service(pool_services.log, "from the service") as pipe:
        wait_closed(pipe)
    pool.shutdown()
    [record] = [record for record in caplog.records if record.name == "service"]
    assert record.getMessage() == "from the service"
    assert record.processName == "worker 1"


# --- its end ---


@pytest.mark.parametrize(
    ("target", "args", "code", "reason"),
    [
        (pool_services.kill_self, (), -signal.SIGKILL, "was killed by SIGKILL"),
        (pool_services.exit_code, (0,), 0, "ended with exit code 0"),
        (pool_services.exit_code, (7,), 7, "ended with exit code 7"),
    ],
)
@pytest.mark.usefixtures("reason_is_awaited")
def test_why_it_has_ended_is_known_as_soon_as_that_is_seen(
    worker: PoolWorker,
    wait_closed: WaitClosed,
    target: Callable[..., object],
    args: tuple[object, ...],
    code: int,
    reason: str,
) -> None:
    with worker.open_service(target, *args) as pipe:
        wait_closed(pipe)
        assert worker.exit_reason() == f"worker 1 (pid {worker.pid}) {reason}"
        assert worker.exitcode == code
        assert not worker.is_alive


def test_all_its_services_end_with_it(pool: ProcessPool, wait_closed: WaitClosed) -> None:
    worker = pool.choose_worker()
    pipes = [worker.open_service(answer_pid) for _ in range(3)]
    os.kill(int(next_message(pipes[0])), signal.SIGKILL)
    for pipe in pipes:
        wait_closed(pipe)
        pipe.close()


@pytest.mark.usefixtures("reason_is_awaited")
def test_a_service_of_one_that_has_ended(worker: PoolWorker, wait_closed: WaitClosed) -> None:
    """Its pipe is closed at the other end, and so is what was sent with it."""
    with worker.open_service(pool_services.kill_self) as pipe:
        wait_closed(pipe)
    assert worker.exit_reason() is not None
    near, far = create_message_pipe()
    with near, worker.open_service(pool_services.answer, far) as pipe:
        wait_closed(pipe)
        wait_closed(near)
        assert not far.is_valid


def test_one_that_dies_while_a_service_is_opened(
    pool: ProcessPool, wait_closed: WaitClosed
) -> None:
    """Whether it gets to know of it or not, the pipe tells."""
    worker = pool.choose_worker()
    with worker.open_service(answer_pid) as first:
        pid = int(next_message(first))
        pipes = []
        killer = threading.Timer(0.002, os.kill, [pid, signal.SIGKILL])
        killer.start()
        while worker.is_alive:
            pipes.append(worker.open_service(answer_pid))
        killer.join()
        for pipe in pipes:
            wait_closed(pipe)
            pipe.close()
    await_end([pid])


def test_a_worker_says_what_it_is(pool: ProcessPool) -> None:
    worker = pool.choose_worker()
    worker.load = 3
    assert repr(worker) == "<PoolWorker not started load=3>"
    [(pipe, pid)] = start_workers(pool, 1)
    pipe.close()
    assert pid == pool.__actor_workers__()[1].pid
    assert repr(pool.__actor_workers__()[1]) == f"<PoolWorker worker 1 (pid {pid}) load=0>"
    pool.shutdown()
    assert repr(worker) == "<PoolWorker not started load=3 ended>"
