"""LostWorker: what is told of a worker process that has ended too early."""

from __future__ import annotations

import signal
from typing import NamedTuple


class LostWorker(NamedTuple):
    """`exitcode` is negative if a signal ended it."""

    worker: int
    pid: int
    exitcode: int

    @property
    def reason(self) -> str:
        if self.exitcode >= 0:
            return f"ended with exit code {self.exitcode}"
        try:
            name = signal.Signals(-self.exitcode).name
        except ValueError:  # a real-time signal
            name = f"signal {-self.exitcode}"
        return f"was killed by {name}"

    def __str__(self) -> str:
        return f"worker {self.worker} (pid {self.pid}) {self.reason}"
