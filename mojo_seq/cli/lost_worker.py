"""LostWorker: what is told of a worker process that has ended too early."""

from __future__ import annotations

import signal
from typing import NamedTuple


class LostWorker(NamedTuple):
    """`exitcode` is negative if a signal ended it. None: it ended before anybody knew it."""

    worker: int
    pid: int | None
    exitcode: int | None

    @property
    def reason(self) -> str:
        if self.exitcode is None:
            return "could not be started"
        if self.exitcode >= 0:
            return f"ended with exit code {self.exitcode}"
        try:
            name = signal.Signals(-self.exitcode).name
        except ValueError:  # a real-time signal
            name = f"signal {-self.exitcode}"
        return f"was killed by {name}"

    def __str__(self) -> str:
        pid = "" if self.pid is None else f" (pid {self.pid})"
        return f"worker {self.worker}{pid} {self.reason}"
