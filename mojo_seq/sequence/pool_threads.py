"""PoolThreads: the threads of a ThreadPool."""

from __future__ import annotations

import itertools
import os
import threading
from time import monotonic

from mojo_seq import _core
from mojo_seq.sequence.run_loop import LoopTaskRunner
from mojo_seq.sequence.task_runner import SequencedTaskRunner
from mojo_seq.sequence.task_traits import TaskTraits

_POLL = 0.05


class PoolTaskRunner(_core.PoolSequence, SequencedTaskRunner):
    """The task runner of a pool's sequence."""

    __slots__ = ()


class PoolThreads:
    """A pool's threads. They refer to this, never to the ThreadPool, which can be dropped."""

    def __init__(self, max_workers: int, name: str) -> None:
        self.pool = _core.WorkerPool(max_workers)
        self._name = name
        self._process = os.getpid()  # whose threads these are
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._workers: set[threading.Thread] = set()  # _lock
        self._singles: dict[threading.Thread, LoopTaskRunner] = {}  # _lock
        self._single_runners: list[LoopTaskRunner] = []  # _lock: of all, for their counts

    @property
    def closing(self) -> bool:
        """True from the moment that it refuses new tasks."""
        return self.pool.closing

    def new_sequence(
        self, name: str | None, traits: TaskTraits, owner: object, *, parallel: bool = False
    ) -> PoolTaskRunner:
        """Makes a sequence that these threads run. Its tasks keep `owner` alive."""
        runner = PoolTaskRunner(
            self.pool,
            name,
            traits.priority,
            traits.may_block,
            traits.shutdown,
            owner=owner,
            parallel=parallel,
        )
        self._start_if_wanted()
        return runner

    def new_plain_sequence(self, owner: object) -> PoolTaskRunner:
        """The same with default traits and without a name, in less time."""
        runner = self.pool.new_sequence(PoolTaskRunner, owner)
        if self.pool.wants_thread():
            self._start_wanted()
        return runner

    def _start_if_wanted(self) -> None:
        """Starts a worker if the pool has none to spare. At the interpreter's end, when no more
        threads are to be had, those that there are do the rest."""
        if self.pool.wants_thread():
            self._start_wanted()

    def _start_wanted(self) -> None:
        try:
            self._start()
        except BaseException as error:
            self.pool.thread_failed()
            if not (_is_late(error) and self._workers):
                raise

    def _start(self) -> None:
        thread = threading.Thread(
            target=self._work, name=f"{self._name}-{next(self._numbers)}", daemon=True
        )
        with self._lock:
            self._workers.add(thread)
        try:
            thread.start()
        except BaseException:
            with self._lock:
                self._workers.discard(thread)
            raise

    def _start_another(self) -> None:
        """Called by a worker."""
        try:
            self._start()
        except RuntimeError as error:
            if not _is_late(error):
                raise
            self.pool.thread_failed()

    def _work(self) -> None:
        try:
            self.pool.run_worker(self._start_another)
        finally:
            with self._lock:
                self._workers.discard(threading.current_thread())

    def new_single(self, name: str | None) -> LoopTaskRunner:
        """Makes a sequence with a thread of its own, and starts that."""
        runner = LoopTaskRunner(name)
        self._start_single(runner)
        return runner

    def _start_single(self, runner: LoopTaskRunner) -> None:
        suffix = runner.name if runner.name is not None else f"single-{next(self._numbers)}"
        thread = threading.Thread(
            target=self._work_single, args=(runner,), name=f"{self._name}-{suffix}", daemon=True
        )
        with self._lock:
            self._singles[thread] = runner
            self._single_runners.append(runner)
        try:
            thread.start()
        except BaseException:
            with self._lock:
                del self._singles[thread]
                self._single_runners.remove(runner)
            raise

    def _work_single(self, runner: LoopTaskRunner) -> None:
        try:
            while not runner.closing:
                runner.run(raise_exit=False)
        finally:
            with self._lock:
                self._singles.pop(threading.current_thread(), None)

    def statistics(self) -> _core.ThreadPoolStatistics:
        """Counts of threads, sequences and tasks, all of one moment but the last two."""
        with self._lock:
            singles = list(self._single_runners)
        run = self.pool.tasks_run + sum(each.tasks_run for each in singles)
        skipped = self.pool.tasks_skipped + sum(each.tasks_skipped for each in singles)
        return _core.ThreadPoolStatistics(*self.pool.statistics(), run, skipped)

    def is_inherited(self) -> bool:
        """True in a forked child, which has none of these threads."""
        return os.getpid() != self._process

    def is_current(self) -> bool:
        """True on one of these threads."""
        thread = threading.current_thread()
        with self._lock:
            return thread in self._workers or thread in self._singles

    def close(self) -> None:
        """Refuses new tasks from now on."""
        if self.is_inherited():
            return  # the pool's locks are not touched here: a thread may have held them
        self.pool.close()
        with self._lock:
            singles = list(self._singles.values())
        for runner in singles:
            runner.close()

    def join(self, timeout: float | None) -> None:
        """Waits for everything that a shutdown waits for."""
        deadline = None if timeout is None else monotonic() + timeout

        def remaining() -> float | None:
            return None if deadline is None else max(0.0, deadline - monotonic())

        with self._lock:
            workers, singles = list(self._workers), list(self._singles)
        if not workers:
            # No thread could be started, or none was needed: what is left is run here.
            self.pool.add_thread()
            self.pool.run_worker(self._start_another)
        if not self.pool.wait_drained(remaining()):
            raise _core.DeadlineExceededError("tasks are still running")
        for thread in singles:
            thread.join(remaining())
        # A task that continues on shutdown keeps its thread; it is not waited for.
        while len(workers := [each for each in workers if each.is_alive()]) > self._running():
            workers[0].join(_POLL if deadline is None else min(_POLL, remaining() or 0.0))
            if deadline is not None and monotonic() >= deadline:
                break
        if any(each.is_alive() for each in singles) or len(workers) > self._running():
            raise _core.DeadlineExceededError("tasks are still running")

    def _running(self) -> int:
        return self.pool.statistics()[3]


def _is_late(error: BaseException) -> bool:
    """Whether a thread was refused because the interpreter ends (Python 3.12 and later)."""
    return isinstance(error, RuntimeError) and "interpreter shutdown" in str(error)
