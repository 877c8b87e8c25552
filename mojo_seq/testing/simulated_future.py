"""SimulatedFuture: waiting for it runs the environment."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any, TypeVar

from mojo_seq import _core

_T = TypeVar("_T")


class SimulatedFuture(Future[_T]):
    """The future of a task in a TaskEnvironment.

    On the environment's thread, `result` and `exception` run other tasks until it is done, and
    their timeouts are of mock time; so do `wait` and `as_completed` of concurrent.futures. On
    other threads it is like any future.
    """

    _waiters: list[Any]

    def __init__(self, environment: _core.Environment) -> None:
        super().__init__()
        self._environment = environment
        self._waiters = _Waiters(environment)

    def result(self, timeout: float | None = None) -> _T:
        """As `concurrent.futures.Future.result`."""
        return super().result(self._remaining(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As `concurrent.futures.Future.exception`."""
        return super().exception(self._remaining(timeout))

    def _remaining(self, timeout: float | None) -> float | None:
        """Waits if that is here, and tells what remains of the timeout."""
        if _core.current_environment() is not self._environment:
            return timeout
        if not self._environment.run_until(self.done, timeout, about=self):
            raise TimeoutError
        return 0.0


class _Waiters(list[Any]):
    """Where `concurrent.futures.wait` puts what it waits with: an object with an `event`."""

    def __init__(self, environment: _core.Environment) -> None:
        super().__init__()
        self._environment = environment

    def append(self, waiter: Any, /) -> None:
        if _core.current_environment() is self._environment:
            waiter.event = _Event(self._environment)
        super().append(waiter)


class _Event(threading.Event):
    """Waiting for it runs the environment."""

    def __init__(self, environment: _core.Environment) -> None:
        super().__init__()
        self._environment = environment

    def wait(self, timeout: float | None = None) -> bool:
        return self._environment.run_until(self.is_set, timeout, about="several futures")
