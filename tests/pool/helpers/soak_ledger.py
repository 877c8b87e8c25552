"""The ledger of the soak: each task that was submitted, and what has become of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, NamedTuple

from soak_tasks import TokenError, read_runs

from mojo_seq import WorkerDiedError

TIMEOUT = 60.0  # for one task, all that is before it included


class Job(NamedTuple):
    """A task that was submitted."""

    token: int
    kind: str
    future: Future[Any]
    is_right: Callable[[Any, BaseException | None], bool]  # the result or the exception
    most_runs: int = 1


class Ledger:
    """Hands out tokens, and checks what comes. Any thread.

    Attributes:
        defects: what is wrong, a line each.
        outcomes: how often each kind of task ended in which way.
    """

    def __init__(self, folder: Path) -> None:
        self.log = str(folder / "runs")
        Path(self.log).touch()
        self.defects: list[str] = []
        self.outcomes = Counter[str]()
        self.collateral = 0  # deaths of those that would not have died by themselves
        self._lock = threading.Lock()
        self._resolved = bytearray()  # for each token: how often its future was
        self._must_run = bytearray()  # for each token: it must have, at least once
        self._may_run = bytearray()  # for each token: the most runs
        self._cancelled = bytearray()  # for each token: it was, by `cancel`

    def new_token(self) -> int:
        with self._lock:
            token = len(self._resolved)
            self._resolved.append(0)
            self._must_run.append(0)
            self._may_run.append(1)
            self._cancelled.append(0)
            return token

    def defect(self, text: str) -> None:
        with self._lock:
            self.defects.append(text)

    def enter(self, job: Job) -> Job:
        """Begins to watch over it."""
        self._may_run[job.token] = job.most_runs
        job.future.add_done_callback(lambda _: self._on_resolved(job.token))
        return job

    def cancel(self, job: Job) -> None:
        """What can be cancelled is cancelled, and does not run; what cannot goes on. One that is
        to be run again, as its worker has died, can be cancelled before that."""
        if job.future.cancel():
            if not job.future.cancelled():
                self.defect(f"{job.kind} {job.token}: cancelled, and is not")
            self._cancelled[job.token] = 1
            self._may_run[job.token] = job.most_runs - 1

    def settle(self, job: Job) -> None:
        """Waits for its end, and looks whether that is its own."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = job.future.result(TIMEOUT)
        except CancelledError as caught:
            if not self._cancelled[job.token]:
                error = caught
            else:
                self._count(job, "cancelled")
                return
        except BaseException as caught:
            error = caught
        if not job.future.done():
            self.defect(f"{job.kind} {job.token}: not resolved; {job.future!r}")
            return
        how = "result" if error is None else type(error).__name__
        if self._cancelled[job.token]:
            self.defect(f"{job.kind} {job.token}: was cancelled, and has {how}")
        if job.is_right(value, error):
            self._must_run[job.token] = error is None or isinstance(error, TokenError)
        elif isinstance(error, WorkerDiedError) and str(job.token) in error.task:
            with self._lock:
                self.collateral += 1  # it was killed from outside
        else:
            self.defect(f"{job.kind} {job.token}: {error!r} {value!r:.80}")
        self._count(job, how)

    def skip(self, token: int) -> None:
        """Its task has no future, and may have run."""
        self._resolved[token] = 1

    def check_runs(self) -> None:
        """Nothing ran twice that was not to, and nothing has a result that did not run.

        When all has ended.
        """
        runs = read_runs(self.log).tolist()
        runs += [0] * (len(self._resolved) - len(runs))
        for token, count in enumerate(runs):
            if self._resolved[token] != 1:
                self.defects.append(f"{token} was resolved {self._resolved[token]} times")
            if not self._must_run[token] <= count <= self._may_run[token]:
                self.defects.append(f"{token} ran {count} times, not {self._may_run[token]}")

    def __len__(self) -> int:
        return len(self._resolved)

    def _on_resolved(self, token: int) -> None:
        with self._lock:
            self._resolved[token] += 1

    def _count(self, job: Job, how: str) -> None:
        with self._lock:
            self.outcomes[f"{job.kind}: {how}"] += 1
