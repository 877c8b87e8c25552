"""What goes on in a worker: services, their end, and signals."""

from __future__ import annotations

import logging
from pathlib import Path

import pool_services
import pytest
from pool_services import next_message

from mojo_seq import create_message_pipe
from mojo_seq.pool import ProcessPool, service_host
from mojo_seq.pool.service_host import ServiceHost
from mojo_seq.process import spawn_arguments


def test_services_are_told_of_the_end(pool: ProcessPool, tmp_path: Path) -> None:
    """By their pipe, which is closed at their own end; they have the time to do something."""
    worker = pool.choose_worker()
    notes = [tmp_path / str(number) for number in range(3)]
    pipes = [worker.open_service(pool_services.until_told, str(note)) for note in notes]
    for pipe in pipes:
        assert next_message(pipe) == b"ready"
    pool.shutdown()
    assert [note.read_text() for note in notes] == ["CANCELLED False"] * 3
    assert worker.exitcode == 0
    for pipe in pipes:
        pipe.close()


def test_a_service_that_fails_for_being_told_is_none_that_fails(
    pool: ProcessPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    note = tmp_path / "note"
    with pool.choose_worker().open_service(pool_services.until_it_fails, str(note)) as pipe:
        assert next_message(pipe) == b"ready"
        pool.shutdown()
    assert note.read_text() == "InvalidArgumentError"
    assert caplog.records == []


def test_an_error_of_its_own_is_none_the_less_one(
    pool: ProcessPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pool.choose_worker().open_service(pool_services.fail_at_the_end) as pipe:
        assert next_message(pipe) == b"ready"
        pool.shutdown()
    [record] = caplog.records
    assert "ValueError: at the end" in str(record.exc_text)


def test_a_service_that_does_not_end_is_named(
    pool: ProcessPool, caplog: pytest.LogCaptureFixture
) -> None:
    worker = pool.choose_worker()
    with worker.open_service(pool_services.shorten_grace_and_stay) as pipe:
        assert next_message(pipe) == b"ready"
        pool.shutdown()
    [record] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert record.getMessage() == (
        "not ended within 0.05 s after their pipes were closed: service shorten_grace_and_stay"
    )
    assert worker.exitcode == 0


def test_services_have_less_time_than_the_pool_has() -> None:
    assert service_host._GRACE_PERIOD == 4.0


def test_a_worker_does_not_hear_of_ctrl_c(pool: ProcessPool) -> None:
    """Programs that it starts do."""
    with pool.choose_worker().open_service(pool_services.interrupt) as pipe:
        assert next_message(pipe) == b"<built-in function default_int_handler> set()\n"


def test_a_service_for_which_there_is_no_thread(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pipe says so, and the others are none the worse for it."""
    near_control, control = create_message_pipe()
    near, far = create_message_pipe()
    near_argument, argument = create_message_pipe()
    payload, handles = spawn_arguments.pack({}, pool_services.answer, (argument,))
    near_control.write(payload, [far, *handles])
    near_control.close()

    def refuse(thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    with control, near, near_argument:
        ServiceHost(control).run()
        assert near.query_signals_state().peer_closed
        assert near_argument.query_signals_state().peer_closed
    assert [each.getMessage() for each in caplog.records] == ["a service could not be started"]
