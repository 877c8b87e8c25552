"""ThreadPool: any number of sequences on few threads."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import weakref
from time import monotonic
from warnings import warn

from mojo_seq import _core
from mojo_seq.sequence.run_loop import LoopTaskRunner
from mojo_seq.sequence.task_runner import SequencedTaskRunner
from mojo_seq.sequence.task_traits import TaskTraits

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from types import TracebackType
    from typing import ParamSpec, Self, TypeVar

    _P = ParamSpec("_P")
    _T = TypeVar("_T")

_DEFAULT_TRAITS = TaskTraits()
_POLL = 0.05


class PoolTaskRunner(_core.PoolSequence, SequencedTaskRunner):
    """The task runner of a pool's sequence."""

    __slots__ = ()


class ThreadPool:
    """Runs any number of sequences on a few threads.

    Threads are started when they are needed; one more than is busy is kept ready. Leaving a
    `with` block, or the interpreter's exit, shuts the pool down.

    Args:
        max_workers: the most threads; None: one for each CPU, and at least 4. Tasks of sequences
            that may block add to them while they run.
        name: of the threads.
    """

    def __init__(self, max_workers: int | None = None, *, name: str = "pool") -> None:
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        if max_workers is None:
            max_workers = max(4, os.cpu_count() or 1)
        self._name = name
        self._threads = _Threads(_core.WorkerPool(max_workers), name)
        if not _exit.registered:
            _exit.registered = True
            atexit.register(_exit.note)
        self._at_exit = _at_exit(self)
        atexit.register(self._at_exit)
        self._finalizer = weakref.finalize(self, _finalize, self._threads, self._at_exit)
        self._finalizer.atexit = False
        if _exit.over:
            self.shutdown()

    def create_sequenced_task_runner(
        self, *, name: str | None = None, traits: TaskTraits = _DEFAULT_TRAITS
    ) -> SequencedTaskRunner:
        """Makes a sequence. It costs no thread and, while idle, nothing but its memory.

        Raises:
            ShutdownError: the pool was shut down.
        """
        if not isinstance(traits, TaskTraits):
            raise TypeError(f"traits must be TaskTraits, not {type(traits).__name__}")
        self._check_open()
        runner = PoolTaskRunner(
            self._threads.pool,
            name,
            traits.priority,
            traits.may_block,
            traits.shutdown,
            owner=self,
        )
        self._threads.start_if_wanted()
        return runner

    def create_single_thread_task_runner(self, *, name: str | None = None) -> SequencedTaskRunner:
        """Makes a sequence whose tasks all run on one thread of their own.

        Raises:
            ShutdownError: the pool was shut down.
        """
        runner = LoopTaskRunner(name)
        self._check_open()
        self._threads.start_single(runner)
        return runner

    def post_task(self, fn: Callable[..., object], /, *args: object) -> None:
        """Runs `fn(*args)` on any thread of the pool, in no sequence.

        Raises:
            ShutdownError: the pool was shut down.
        """
        self._parallel().post_task(fn, *args)

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """The same, returning a future of the result.

        Raises:
            ShutdownError: the pool was shut down.
        """
        return self._parallel().submit(fn, *args, **kwargs)

    def _parallel(self) -> _core.PoolSequence:
        runner = PoolTaskRunner(
            self._threads.pool,
            None,
            _DEFAULT_TRAITS.priority,
            _DEFAULT_TRAITS.may_block,
            _DEFAULT_TRAITS.shutdown,
            owner=self,
            parallel=True,
        )
        self._threads.start_if_wanted()
        return runner

    def shutdown(self, timeout: float | None = None) -> None:
        """Ends the pool: running tasks finish, queued ones are treated as their traits say.

        Nothing can be posted from the start of this call. Repeating it is harmless, and waits.

        Args:
            timeout: seconds; None: no limit.

        Raises:
            DeadlineExceededError: not finished in time; the pool goes on ending.
            RuntimeError: called on one of the pool's own threads, which could never end.
        """
        if self._threads.is_inherited():
            return  # a forked child has none of the threads
        if self._threads.is_current():
            raise RuntimeError("a pool cannot be shut down from one of its own tasks")
        self._threads.close()
        self._finalizer.detach()
        self._threads.join(timeout)
        atexit.unregister(self._at_exit)

    def statistics(self) -> _core.ThreadPoolStatistics:
        """Counts of threads, sequences and tasks, all of one moment but the last two."""
        return _core.ThreadPoolStatistics(*self._threads.pool.statistics(), *self._threads.tasks())

    def _check_open(self) -> None:
        if self._threads.is_inherited():
            raise _core.ShutdownError("the pool belongs to the process that fork()ed this one")
        if self._threads.pool.closing:
            raise _core.ShutdownError("the pool was shut down")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        state = " shut down" if self._threads.pool.closing else ""
        return f"<ThreadPool {self._name!r}{state}>"


class _Exit:
    """Whether the interpreter is past the shutdown of all pools. A pool made then would never be
    shut down, so it is of no use from the start."""

    registered = False
    over = False

    def note(self) -> None:
        """The first to register is the last to be called."""
        self.over = True


_exit = _Exit()


class _Threads:
    """A pool's threads. They refer to this, never to the ThreadPool, which can be dropped."""

    def __init__(self, pool: _core.WorkerPool, name: str) -> None:
        self.pool = pool
        self._name = name
        self._process = os.getpid()  # whose threads these are
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._workers: set[threading.Thread] = set()  # _lock
        self._singles: dict[threading.Thread, LoopTaskRunner] = {}  # _lock
        self._single_runners: list[LoopTaskRunner] = []  # _lock: of all, for their counts

    def start_if_wanted(self) -> None:
        """Starts a worker if the pool has none to spare."""
        if not self.pool.wants_thread():
            return
        try:
            self._start()
        except BaseException:
            self.pool.thread_failed()
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

    def _work(self) -> None:
        try:
            self.pool.run_worker(self._start)
        finally:
            with self._lock:
                self._workers.discard(threading.current_thread())

    def start_single(self, runner: LoopTaskRunner) -> None:
        """Starts the thread of a single-thread runner."""
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
            raise

    def _work_single(self, runner: LoopTaskRunner) -> None:
        try:
            while not runner.closing:
                runner.run(raise_exit=False)
        finally:
            with self._lock:
                self._singles.pop(threading.current_thread(), None)

    def tasks(self) -> tuple[int, int]:
        """How many tasks were started and how many were skipped."""
        with self._lock:
            singles = list(self._single_runners)
        run = self.pool.tasks_run + sum(each.tasks_run for each in singles)
        skipped = self.pool.tasks_skipped + sum(each.tasks_skipped for each in singles)
        return run, skipped

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
            self.pool.run_worker(self._start)
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


def _finalize(threads: _Threads, at_exit: Callable[[], None]) -> None:
    """The pool was dropped: its threads end when their tasks are done; nobody waits."""
    atexit.unregister(at_exit)
    threads.close()
    warn("a ThreadPool was dropped without shutdown()", ResourceWarning, stacklevel=2)


def _at_exit(pool: ThreadPool) -> Callable[[], None]:
    """A shutdown for the interpreter's exit that does not keep the pool alive."""
    reference = weakref.ref(pool)

    def shutdown() -> None:
        alive = reference()
        if alive is not None:
            alive.shutdown()

    return shutdown
