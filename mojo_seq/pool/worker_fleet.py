"""WorkerFleet: the workers of a pool, and the thread that starts them and sees them end."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
from contextlib import suppress
from time import monotonic

from mojo_seq import _core
from mojo_seq.pool.pool_worker import PoolWorker
from mojo_seq.pool.restart_backoff import RestartBackoff
from mojo_seq.pool.stderr_tee import StderrTee
from mojo_seq.pool.worker_process import WorkerProcess
from mojo_seq.process import main_module
from mojo_seq.process.deadline import Deadline
from mojo_seq.sequence import RunLoop
from mojo_seq.sequence.exit_calls import exit_calls
from mojo_seq.sequence.only_thread import OnlyThread

_GRACE_PERIOD = 5.0  # as ChildProcess has them
_TERMINATION_PERIOD = 2.0
_LAST_MOMENTS = 2.0  # of a log that is still being handled when its process is gone
_FIRST_LOOK, _LONGEST_PAUSE = 0.001, 0.05
_MOMENT = 0.5

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.process.spawn_arguments import Packed


class WorkerFleet:
    """A number of places, each with a worker: it is started when it is needed, and replaced when
    it was lost.

    Starting a process takes a millisecond or two, and may have to wait: so it is done, like all
    else that has to do with processes, on a thread of the fleet's own, which there is from the
    first need on. The fleet does not know of the pool, which can be dropped.

    Args:
        size: how many places.
        setup: the packed initializer.
        environment: variables for the workers.
    """

    def __init__(self, size: int, setup: Packed | None, environment: dict[str, str]) -> None:
        self._setup = setup
        self._environment = environment
        self._generation = _core.fork_generation()
        self._numbers = itertools.count(1)
        self._choices = itertools.count(1)
        self._lock = threading.RLock()
        self._workers = [PoolWorker(self, 0.0) for _ in range(size)]  # _lock
        self._backoffs = [RestartBackoff() for _ in range(size)]  # _lock
        self._refusing = False  # the pool is being shut down
        self._closing = False
        self._tee = StderrTee()
        self._call_at_exit: Callable[[], object] | None = None
        self._loop: RunLoop | None = None
        self._made = threading.Event()  # _loop
        self._thread = OnlyThread(self._run, "mojo_seq-workers")
        self._processes = set[WorkerProcess]()  # _lock: all that were not reaped
        self._leaving: dict[WorkerProcess, Deadline] = {}  # the lost ones; the thread's

    # --- any thread ---

    def is_inherited(self) -> bool:
        """True in a forked child, which has none of the processes, and whose locks are stuck."""
        return _core.fork_generation() != self._generation

    @property
    def is_open(self) -> bool:
        """Whether services can be opened."""
        return not self._closing and not self._refusing and not self.is_inherited()

    @property
    def was_needed(self) -> bool:
        """Whether there is anything to be ended."""
        return self._thread.may_run

    def check_open(self) -> None:
        """Raises ShutdownError if no services can be opened."""
        if self.is_inherited():
            raise _core.ShutdownError("the pool belongs to the process that fork()ed this one")
        if self._closing or self._refusing:
            raise _core.ShutdownError("the pool was shut down")

    def refuse(self) -> None:
        """Nobody but the pool itself can open services any more."""
        self._refusing = True

    def workers(self) -> tuple[PoolWorker, ...]:
        """Those that have the places now."""
        self.check_open()
        return self.candidates()

    def candidates(self) -> tuple[PoolWorker, ...]:
        """The same for the pool itself, until the fleet is closed."""
        with self._lock:
            for worker in self._workers:
                if not worker.is_alive:  # seen here first
                    self._replace(worker)
            return tuple(self._workers)

    def choose(self) -> PoolWorker:
        """The worker with the least load; of several, one that has not to wait for its start, and
        of these the one that was not chosen for the longest time."""
        self.check_open()
        with self._lock:
            now = monotonic()
            chosen = min(
                self.candidates(),
                key=lambda each: (each.load, max(0.0, each.not_before - now), each.last_chosen),
            )
            chosen.last_chosen = next(self._choices)
            return chosen

    def need(self, worker: PoolWorker) -> WorkerProcess:
        """The worker's process, which is started if it was not needed before."""
        main_module.check_not_importing()
        with self._lock:
            if self._closing or self.is_inherited():
                self.check_open()
            process = worker.process
            if process is None or not process.was_called:
                # Ctrl-C may come between any two of these: then they are done again.
                loop = self._start_thread()
                if process is None:
                    process = worker.process = WorkerProcess(f"worker {next(self._numbers)}")
                self._processes.add(process)
                pause = max(0.0, worker.not_before - monotonic())
                loop.task_runner.post_delayed_task(pause, self._start, process)
                process.was_called = True
            return process

    def retire(self, worker: PoolWorker, reason: str) -> None:
        """Ends a worker on which nothing runs any more. Another has its place."""
        with self._lock:
            if self._closing or worker not in self._workers or worker.process is None:
                return
            self._workers[self._workers.index(worker)] = PoolWorker(self, 0.0)
            loop = self._loop
        if loop is not None:
            loop.task_runner.post_task(self._end_one, worker.process, reason)

    def expect_end(self, worker: PoolWorker) -> None:
        """A worker does not work any more: if it does not end soon, it is killed."""
        loop, process = self._loop, worker.process
        if loop is not None and process is not None:
            loop.task_runner.post_delayed_task(_MOMENT, process.kill)

    def call_at_exit(self, call: Callable[[], object]) -> None:
        """At the interpreter's exit, before the workers are ended."""
        self._call_at_exit = call

    def close(self) -> None:
        """Ends all workers; returns at once. Also called by a finalizer, so it takes no lock."""
        if self.is_inherited():
            return
        self._closing = True
        loop = self._loop
        if loop is not None:
            loop.task_runner.post_task(self._end_all)

    def join(self) -> None:
        """Waits until nothing is left. An exception, that of Ctrl-C, ends it at once by force.

        Raises:
            RuntimeError: called on the fleet's own thread, by a log handler.
        """
        if self.is_inherited():
            return
        if self._thread.is_current:
            raise RuntimeError("a pool cannot be shut down by a handler of its workers' log")
        try:
            with self._lock:  # somebody may just be starting it
                pass
            self._thread.wait()
        except BaseException:
            while not self._thread.wait(_LONGEST_PAUSE):
                for process in self._all():
                    process.kill()
            raise
        finally:
            self._thread.join()
            exit_calls.remove(self._at_exit)

    def _all(self) -> list[WorkerProcess]:
        with self._lock:
            return list(self._processes)

    def _start_thread(self) -> RunLoop:
        if not self._made.is_set():
            exit_calls.add(self._at_exit)
            try:
                self._thread.start()
            except _core.ResourceExhaustedError:
                exit_calls.remove(self._at_exit)
                raise
            self._made.wait()
        loop = self._loop
        if loop is None:
            raise _core.ShutdownError("the pool was shut down")  # meanwhile
        return loop

    def _at_exit(self) -> None:
        if self._call_at_exit is not None:
            self._call_at_exit()
        self.close()
        self.join()

    def _replace(self, worker: PoolWorker) -> None:
        """Gives its place to another one; nothing happens the second time. Called with the lock."""
        if self._closing or worker not in self._workers or worker.process is None:
            return
        place = self._workers.index(worker)
        pause = self._backoffs[place].next_pause(worker.process.lifetime)
        successor = self._workers[place] = PoolWorker(self, monotonic() + pause)
        if not pause and not self._refusing:
            with suppress(_core.ShutdownError):  # of just now
                self.need(successor)  # before somebody has to wait for it
        # After an early death it is started when it is needed: it might go on like that for ever.

    # --- the fleet's thread ---

    def _run(self) -> None:
        # The processes keep this mask until they can ignore what is not for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._loop = loop = RunLoop()  # of this thread, whatever the others are in the midst of
        if self._closing:  # meanwhile
            loop.task_runner.post_task(self._end_all)
        self._made.set()
        try:
            loop.run()
        finally:
            self._loop = None
            self._tee.close()
            exit_calls.remove(self._at_exit)

    def _start(self, process: WorkerProcess) -> None:
        if not self._closing:
            process.start(self._setup, self._environment, self._tee, self._on_lost)

    def _on_lost(self, process: WorkerProcess) -> None:
        with self._lock:
            for worker in self._workers:
                if worker.process is process:
                    self._replace(worker)
                    break
        self._leaving[process] = Deadline(_GRACE_PERIOD)
        self._reap(process, _FIRST_LOOK)

    def _end_one(self, process: WorkerProcess, reason: str) -> None:
        process.tell_to_end(reason)
        self._leaving[process] = Deadline(_GRACE_PERIOD)
        self._reap(process, _FIRST_LOOK)

    def _reap(self, process: WorkerProcess, pause: float) -> None:
        """Looks after a process that was lost until it has ended: that takes a moment."""
        if process.wait(Deadline(0)):
            self._leaving.pop(process, None)
            with self._lock:
                self._processes.discard(process)
            return
        if self._leaving[process].passed():
            process.kill()
        loop = self._loop
        if loop is not None:
            next_pause = min(2 * pause, _LONGEST_PAUSE)
            loop.task_runner.post_delayed_task(pause, self._reap, process, next_pause)

    def _end_all(self) -> None:
        """The last task, which may take its time."""
        with self._lock:  # of an interrupted `need`
            self._processes.update(each.process for each in self._workers if each.process)
        processes = self._all()
        for process in processes:
            process.tell_to_end("was ended with its pool")
        left = _wait_for(processes, _GRACE_PERIOD)
        _warn(left, "terminated")
        for process in left:
            process.terminate()
        left = _wait_for(left, _TERMINATION_PERIOD)
        _warn(left, "killed")
        for process in left:
            process.kill()
        _wait_for(left, _LAST_MOMENTS)
        self._leaving.clear()
        with self._lock:
            self._processes.clear()
        for process in processes:
            process.note_gone()
        if self._loop is not None:
            self._loop.quit()


def _wait_for(processes: list[WorkerProcess], timeout: float) -> list[WorkerProcess]:
    """Those that have not ended in time."""
    deadline = Deadline(timeout)
    return [each for each in processes if not each.wait(deadline)]


def _warn(left: list[WorkerProcess], what: str) -> None:
    for process in left:
        logging.getLogger("mojo_seq").warning("%r does not end: it is %s", process, what)
