"""SimulatedFuture: waiting for it runs the environment."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from mojo_seq import _core

_T = TypeVar("_T")


class SimulatedFuture(Future[_T]):
    """The future of a task in a TaskEnvironment.

    On the environment's thread, `result` and `exception` run other tasks until it is done, and
    their timeouts are of mock time. On other threads it is like any future.
    """

    def __init__(self, environment: _core.Environment) -> None:
        super().__init__()
        self._environment = environment

    def result(self, timeout: float | None = None) -> _T:
        """As `concurrent.futures.Future.result`."""
        return super().result(self._wait(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As `concurrent.futures.Future.exception`."""
        return super().exception(self._wait(timeout))

    def _wait(self, timeout: float | None) -> float | None:
        """What remains of a timeout."""
        if _core.current_environment() is not self._environment:
            return timeout
        self._environment.run_until(self.done, timeout, about=self)
        return 0.0
