"""TaskEnvironment: everything on one thread, on mock time, in an order that can be repeated."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self

from mojo_seq import _core
from mojo_seq.testing.deadlock_error import Blocked, NestingError, Wait, report
from mojo_seq.testing.simulated_future import SimulatedFuture
from mojo_seq.testing.simulated_threads import SimulatedLoopRunner, SimulatedThreads


class TaskEnvironment(_core.Environment):
    """Runs all sequences that are made in its block on the calling thread.

    What is made of `ThreadPool`, `RunLoop` and `ActorSystem` in the block, by unchanged code, has
    no threads. Its tasks run while the block's thread waits for something: in `run_until_idle()`
    and `advance()`, in `RunLoop.run()`, and in every blocking call of this library, also in one
    that a task makes: `result()` of a future, `wait`, `wait_many`, `WaitSet.wait`,
    `WaitableEvent.wait`, `ThreadPool.shutdown`. Between two tasks, and in such a call, the seed
    chooses which sequence goes on; a task that waits is left in the middle, and others run on top
    of it. So there is no other thread to surprise a debugger.

    Delays and timeouts are of mock time: it moves on, to the next timer, when all that could run
    has run. `time.sleep`, locks and queues of `threading` know nothing of that and just block.

    A blocking call that could never return raises `DeadlockError`, with a list of what waits; one
    that waits for a task which could go on, but is below it on the stack, `NestingError`. If
    threads were started in the block, or pipes to other processes made, or it waits for such a
    pipe, it first waits in real time, for up to `patience` seconds without news.

    Leaving the block shuts down the pools that were made in it, and drops the tasks that are
    left; their futures are cancelled. If a task raised and there was no handler for that, the
    block raises it in the end, unless it was left by an exception already; it is logged as ever.
    `task_errors` holds such errors, and a test that expects them clears it.

    Args:
        seed: chooses the order, from 0 to 2**64 - 1. None: the sequence that has been ready for
            longest or, while a task waits, for shortest. Both are the same on every machine.
        schedule: the `schedule` of an earlier run, which is repeated.

    Raises:
        InvalidArgumentError: there is no such seed, or it comes with a schedule.
        RuntimeError: on entering: it was entered before, or another one is open on this thread.
    """

    nesting_error: NestingError | None = None
    """The first that was raised, whoever caught it: what came after it says nothing."""

    def __init__(self, seed: int | None = None, *, schedule: Iterable[int] | None = None) -> None:
        # The core has taken them in __new__.
        self._threads_before = frozenset[threading.Thread]()

    def __enter__(self) -> Self:
        self.enter()
        self._threads_before = frozenset(threading.enumerate())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        errors: list[BaseException] = []
        try:
            self._end(errors)
        finally:
            self.leave()
        if not errors and exc is None and self.task_errors:
            first = self.task_errors[0]
            first.exception.add_note(f"raised by a task, posted from {first.posted_from}")
            if more := len(self.task_errors) - 1:
                first.exception.add_note(f"and {more} more raised; the log has all of them")
            errors.append(first.exception)
        if exc is not None and self.nesting_error not in (None, exc):
            exc.add_note(f"but this came first: {self.nesting_error!r}")
        if exc is None and errors:
            raise errors[0]
        for error in errors:
            assert exc is not None
            exc.add_note(f"leaving the TaskEnvironment then raised {error!r}")

    def _end(self, errors: list[BaseException]) -> None:
        while (call := self.take_exit_call()) is not None:
            try:
                call()
            except Exception as error:
                errors.append(error)

    # The core calls these.

    def new_future(self) -> SimulatedFuture[Any]:
        """A future whose `result()` runs the environment."""
        return SimulatedFuture(self)

    def expects_news(self) -> bool:
        """Whether threads were started in the block that may still post something."""
        return any(map(self._may_post, threading.enumerate()))

    def _may_post(self, thread: threading.Thread) -> bool:
        if thread in self._threads_before or isinstance(thread, threading._DummyThread):
            return False
        # A watchdog, like that of pytest-timeout.
        return not (isinstance(thread, threading.Timer) and thread.daemon)

    def deadlocked(
        self,
        waits: Sequence[Wait],
        blocked: Sequence[Blocked],
        reason: str,
    ) -> NoReturn:
        """Raises a DeadlockError or a NestingError."""
        order = "readiness" if self.seed is None else f"seed {self.seed}"
        error = report(reason, waits, blocked, order)
        if isinstance(error, NestingError) and self.nesting_error is None:
            self.nesting_error = error
        raise error

    def make_pool(self, max_workers: int | None, name: str) -> SimulatedThreads:
        """What a ThreadPool has in place of threads."""
        return SimulatedThreads(self, max_workers, name)

    def make_loop_runner(self) -> SimulatedLoopRunner:
        """The task runner of a RunLoop."""
        return SimulatedLoopRunner(_core.SimulatedPool(self, 1))

    def __repr__(self) -> str:
        return f"<TaskEnvironment seed={self.seed} now={self.now()}>"
