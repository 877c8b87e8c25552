"""The soak's ledger notices what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path

import pytest
import soak_ledger
from soak_jobs import is_result
from soak_ledger import Job, Ledger
from soak_tasks import note_run

from mojo_seq import WorkerDiedError


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def enter(ledger: Ledger) -> Job:
    """A task that is to have its token as its result."""
    token = ledger.new_token()
    return ledger.enter(Job(token, "task", Future(), partial(is_result, token)))


def run(ledger: Ledger, job: Job, times: int = 1) -> None:
    for _ in range(times):
        note_run(ledger.log, job.token)


def settle(ledger: Ledger, job: Job) -> list[str]:
    ledger.settle(job)
    ledger.check_runs()
    return ledger.defects


def test_all_is_well(ledger: Ledger) -> None:
    for _ in range(3):
        job = enter(ledger)
        run(ledger, job)
        job.future.set_result(job.token)
        ledger.settle(job)
    cancelled = enter(ledger)
    ledger.cancel(cancelled)
    assert settle(ledger, cancelled) == []
    assert ledger.outcomes == {"task: result": 3, "task: cancelled": 1}


def test_a_death_is_collateral_if_it_names_the_task(ledger: Ledger) -> None:
    job = enter(ledger)
    job.future.set_exception(WorkerDiedError(1, -9, f"task({job.token})"))
    assert settle(ledger, job) == []
    assert ledger.collateral == 1


OUTCOMES: list[Callable[[Job], object]] = [
    lambda job: job.future.set_result(job.token + 1),
    lambda job: job.future.set_exception(ValueError("of another")),
    lambda job: job.future.set_exception(WorkerDiedError(1, -9, "another task(17)")),
    lambda job: job.future.set_exception(CancelledError()),
    lambda job: job.future.cancel(),  # not by way of the ledger
]


@pytest.mark.parametrize("end", OUTCOMES)
def test_the_outcome_of_another(ledger: Ledger, end: Callable[[Job], object]) -> None:
    job = enter(ledger)
    run(ledger, job)
    end(job)
    assert len(settle(ledger, job)) == 1


def test_one_that_was_never_resolved(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_ledger, "TIMEOUT", 0.01)
    assert any("not resolved" in each for each in settle(ledger, enter(ledger)))


@pytest.mark.parametrize("times", [0, 2])
def test_one_with_a_result_that_did_not_run_once(ledger: Ledger, times: int) -> None:
    job = enter(ledger)
    run(ledger, job, times)
    job.future.set_result(job.token)
    assert settle(ledger, job) == [f"{job.token} ran {times} times, not 1"]


def test_one_that_was_cancelled_and_ran(ledger: Ledger) -> None:
    job = enter(ledger)
    ledger.cancel(job)
    run(ledger, job)
    assert settle(ledger, job) == [f"{job.token} ran 1 times, not 0"]
