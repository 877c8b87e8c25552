"""ThreadPool: any number of sequences on few threads."""

from __future__ import annotations

import atexit
import os
import weakref
from warnings import warn

from mojo_seq import _core
from mojo_seq.sequence.exit_calls import exit_calls
from mojo_seq.sequence.pool_threads import PoolThreads
from mojo_seq.sequence.shut_down_at_exit import ShutDownAtExit
from mojo_seq.sequence.task_runner import SequencedTaskRunner
from mojo_seq.sequence.task_traits import TaskTraits

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import ParamSpec, TypeVar

    from mojo_seq.sequence.task_group import TaskGroup

    _P = ParamSpec("_P")
    _T = TypeVar("_T")

_DEFAULT_TRAITS = TaskTraits()


class ThreadPool(ShutDownAtExit):
    """Runs any number of sequences on a few threads.

    Threads are started when they are needed; one more than is busy is kept ready. Leaving a
    `with` block, or the interpreter's exit, shuts the pool down.

    Args:
        max_workers: the most threads; None: one for each CPU, and at least 4. Tasks of sequences
            that may block add to them while they run.
        name: of the threads.
    """

    _finalizer: weakref.finalize[..., ThreadPool] | None = None

    def __init__(self, max_workers: int | None = None, *, name: str = "pool") -> None:
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        self._name = name
        self._at_exit = _at_exit(self)
        environment = _core.current_environment()
        if environment is not None:  # a test's, which shuts down what is left in it
            self._threads: PoolThreads = environment.make_pool(max_workers, name)
            environment.call_at_exit(self._at_exit)
            return
        if max_workers is None:
            max_workers = max(4, os.cpu_count() or 1)
        self._threads = PoolThreads(max_workers, name)
        if not _exit.registered:
            _exit.registered = True
            atexit.register(_exit.note)
        exit_calls.add(self._at_exit)
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
        return self._threads.new_sequence(name, traits, self)

    def new_sequence(self) -> SequencedTaskRunner:
        """For the layers above: the same without a name, with default traits and in less time.
        Whether the pool is open turns out at the first post."""
        return self._threads.new_plain_sequence(self)

    def create_single_thread_task_runner(self, *, name: str | None = None) -> SequencedTaskRunner:
        """Makes a sequence whose tasks all run on one thread of their own, which ends with the pool
        and not before: also when nobody has the runner any more.

        Raises:
            ShutdownError: the pool was shut down.
        """
        self._check_open()
        return self._threads.new_single(name)

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

    def _parallel(self) -> SequencedTaskRunner:
        return self._threads.new_sequence(None, _DEFAULT_TRAITS, self, parallel=True)

    def task_group(self, *, grace: float = 2.0) -> TaskGroup:
        """A group of tasks on the threads of the pool, to be used in `with` or `async with`.

        Args:
            grace: as of a ProcessPool's groups; threads are never ended by force, but waited for.
        """
        from mojo_seq.sequence.task_group import TaskGroup
        from mojo_seq.sequence.thread_task import ThreadTasks

        return TaskGroup(ThreadTasks(self), grace=grace)

    def is_current(self) -> bool:
        """Whether the caller is on one of the pool's threads."""
        return self._threads.is_current()

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
        if self._finalizer is not None:
            self._finalizer.detach()
        self._threads.join(timeout)
        exit_calls.remove(self._at_exit)

    def give_up(self) -> None:
        """For the layers above, after a `shutdown` that took too long: nothing waits for its
        threads any more, also at the interpreter's exit."""
        exit_calls.remove(self._at_exit)

    def statistics(self) -> _core.ThreadPoolStatistics:
        """Counts of threads, sequences and tasks, all of one moment but the last two."""
        return self._threads.statistics()

    def _check_open(self) -> None:
        if self._threads.is_inherited():
            raise _core.ShutdownError("the pool belongs to the process that fork()ed this one")
        if self._threads.closing:
            raise _core.ShutdownError("the pool was shut down")

    def __repr__(self) -> str:
        state = " shut down" if self._threads.closing else ""
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


def _finalize(threads: PoolThreads, at_exit: Callable[[], None]) -> None:
    """The pool was dropped: its threads end when their tasks are done; nobody waits."""
    exit_calls.remove(at_exit)
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
