"""What a ThreadPool or a RunLoop has in place of threads in a TaskEnvironment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mojo_seq import _core
from mojo_seq.sequence import SequencedTaskRunner

if TYPE_CHECKING:
    from mojo_seq.sequence import TaskTraits


class SimulatedTaskRunner(_core.SimulatedSequence, SequencedTaskRunner):
    """The task runner of a sequence in a TaskEnvironment."""

    __slots__ = ()


class SimulatedLoopRunner(_core.SimulatedLoopSequence, SequencedTaskRunner):
    """The task runner of a RunLoop in a TaskEnvironment."""

    __slots__ = ()


class SimulatedThreads:
    """Has the methods of `PoolThreads`, and no threads.

    With a number of workers, so many sequences can be in a task that waits, like threads that
    block. Without one there is no such limit, since the default depends on the machine.
    """

    def __init__(self, environment: _core.Environment, max_workers: int | None, name: str) -> None:
        self._environment = environment
        self._name = name
        self._pool = _core.SimulatedPool(environment, max_workers)
        self._singles: list[_core.SimulatedPool] = []
        self._process = os.getpid()

    @property
    def closing(self) -> bool:
        """True from the moment that it refuses new tasks."""
        return self._pool.closing

    def new_sequence(
        self, name: str | None, traits: TaskTraits, owner: object, *, parallel: bool = False
    ) -> SimulatedTaskRunner:
        """Makes a sequence. Its tasks keep `owner` alive."""
        return SimulatedTaskRunner(
            self._pool,
            name,
            traits.priority,
            traits.may_block,
            traits.shutdown,
            owner=owner,
            parallel=parallel,
        )

    def new_plain_sequence(self, owner: object) -> SimulatedTaskRunner:
        """The same with default traits and without a name."""
        runner: SimulatedTaskRunner = SimulatedTaskRunner(self._pool, owner=owner)
        return runner

    def new_single(self, name: str | None) -> SimulatedTaskRunner:
        """Makes a sequence that is limited by no other one."""
        single = _core.SimulatedPool(self._environment, 1)
        runner = SimulatedTaskRunner(single, name)
        self._singles.append(single)
        return runner

    def is_inherited(self) -> bool:
        """True in a forked child."""
        return os.getpid() != self._process

    def is_current(self) -> bool:
        """True in a task of one of its sequences."""
        try:
            runner = _core.current_runner()
        except RuntimeError:
            return False
        return isinstance(runner, SimulatedTaskRunner) and runner.pool in self._pools()

    def close(self) -> None:
        """Refuses new tasks from now on, and drops what a shutdown does not wait for."""
        for pool in self._pools():
            pool.close()

    def join(self, timeout: float | None) -> None:
        """Runs the environment until nothing is left that a shutdown waits for."""
        end = None if timeout is None else self._environment.now() + timeout
        for pool in self._pools():
            remaining = None if end is None else max(0.0, end - self._environment.now())
            if not pool.wait_drained(remaining):
                raise _core.DeadlineExceededError("tasks are still running")

    def statistics(self) -> _core.ThreadPoolStatistics:
        """Counts of sequences and tasks; there are no workers."""
        pools = self._pools()
        return _core.ThreadPoolStatistics(
            0,
            0,
            *self._pool.statistics(),
            sum(pool.tasks_run for pool in pools),
            sum(pool.tasks_skipped for pool in pools),
        )

    def _pools(self) -> list[_core.SimulatedPool]:
        return [self._pool, *self._singles]
