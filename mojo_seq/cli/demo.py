"""``python -m mojo_seq demo``: which sequence does what, and which pipe leads where.

  reader sequence                    workers: sequences or processes
┌──────────────────┐   requests   ┌──────────────────────────┐
│ walk, read files ├─────────────►│ SHA-256, byte histogram  │
│ into data pipes  │◄─────────────┤ on windows of data pipes │
└────────┬─────────┘   replies    └──────────────────────────┘
         │ messages
         ▼
  main thread (RunLoop): ledger, progress, report
"""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from contextlib import closing
from functools import partial
from types import FrameType

from mojo_seq import (
    MessagePipeHandle,
    ResourceExhaustedError,
    Result,
    RunLoop,
    SequencedTaskRunner,
    ShutdownBehavior,
    Signals,
    SignalsState,
    SimpleWatcher,
    TaskError,
    TaskTraits,
    ThreadPool,
    create_message_pipe,
)
from mojo_seq.cli.ledger import Ledger
from mojo_seq.cli.progress import Progress, make_progress
from mojo_seq.cli.reader import Reader
from mojo_seq.cli.records import from_message
from mojo_seq.cli.report import print_report, write_json
from mojo_seq.cli.walk import distinct_roots, explain, survey
from mojo_seq.cli.workers import WorkerProcesses, Workers, WorkerSequences


def main(paths: list[str], workers: int, *, in_processes: bool = False, as_json: bool) -> int:
    """Hash everything under `paths`, print the report, return the exit code."""
    paths = paths or [sysconfig.get_path("stdlib")]
    for path in paths:
        try:
            os.stat(path)
        except OSError as error:
            print(f"error: {path!r}: {explain(error)}", file=sys.stderr)
            return 2
    paths = distinct_roots(paths)
    kind = WorkerProcesses if in_processes else WorkerSequences
    try:
        with closing(Ledger()) as ledger:
            with closing(make_progress(paths)) as progress:
                Demo(paths, kind(workers), ledger, progress).run()
            return _print(ledger, paths, workers, as_json=as_json)
    except (NoWorkersLeftError, ResourceExhaustedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _print(ledger: Ledger, paths: list[str], workers: int, *, as_json: bool) -> int:
    output = write_json if as_json else print_report
    try:
        output(ledger, paths, workers, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`| head`). Python will flush stdout once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 130 if ledger.interrupted else 0


class NoWorkersLeftError(Exception):
    """All workers have died, and there are files that none of them has finished."""


class Demo:
    """The main thread's part: makes the pipes and the sequences, then listens."""

    def __init__(
        self, paths: list[str], workers: Workers, ledger: Ledger, progress: Progress
    ) -> None:
        self._paths = paths
        self._workers = workers
        self._ledger = ledger
        self._progress = progress
        self._loop = RunLoop()
        self._loop.task_runner.exception_handler = self._on_failure
        self._results, self._listener = create_message_pipe()
        self._reader: Reader | None = None
        self._cancelled = False
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Return when all files are done, or soon after Ctrl-C."""
        previous = signal.signal(signal.SIGINT, self._on_ctrl_c)
        try:
            with self._results, self._listener:
                with ThreadPool(self._workers.count + 2, name="demo") as pool:
                    self._loop.task_runner.post_task(self._start, pool)
                    self._loop.run()
                    self._ledger.finish(interrupted=self._cancelled)
                if self._reader is not None:
                    self._reader.close()
                self._workers.close()
        finally:
            signal.signal(signal.SIGINT, previous)
        if self._failure is not None:
            raise self._failure

    def _start(self, pool: ThreadPool) -> None:
        self._watcher = SimpleWatcher()
        self._watcher.watch(self._results, Signals.READABLE, self._on_results)
        make_runner = partial(self._make_runner, pool)
        pipes = self._workers.start(make_runner)
        self._reading = make_runner()
        self._reading.post_task(self._host_reader, pipes)
        make_runner().post_task_and_reply(
            partial(survey, self._paths, self._is_cancelled), self._progress.set_total
        )

    def _make_runner(self, pool: ThreadPool) -> SequencedTaskRunner:
        # BLOCK_SHUTDOWN: the tasks that close handles are run even though the pool is being left.
        traits = TaskTraits(may_block=True, shutdown=ShutdownBehavior.BLOCK_SHUTDOWN)
        runner = pool.create_sequenced_task_runner(traits=traits)
        runner.exception_handler = self._on_failure
        return runner

    def _host_reader(self, pipes: list[MessagePipeHandle]) -> None:
        self._reader = Reader(self._paths, pipes, self._listener, self._is_cancelled)

    def _on_results(self, result: Result, _state: SignalsState) -> None:
        if result is not Result.OK:  # the reader has closed its end, after the last message
            self._watcher.close()
            self._results.close()
            self._loop.quit()
            return
        for message in self._results.read_batch():
            match from_message(message):
                case {"files": records}:
                    self._ledger.add_files(records)
                case {"problem": record}:
                    self._ledger.add_problem(record)
                case {"progress": nbytes}:
                    self._progress.update(self._ledger.files, nbytes)
                case {"lost": number}:
                    lost = self._workers.explain_loss(number)
                    self._ledger.lost_workers.append(lost)
                    self._progress.note(str(lost))
                case {"given_up": True}:
                    raise NoWorkersLeftError("all workers have died, and files are left")

    def _on_failure(self, error: TaskError) -> None:
        """Whatever went wrong, on whatever sequence: stop everything and let `run` raise it."""
        self._failure = self._failure or error.exception  # the first one; others follow from it
        self._cancelled = True
        self._loop.task_runner.post_task(self._loop.quit)

    def _is_cancelled(self) -> bool:
        return self._cancelled

    def _on_ctrl_c(self, _signal: int, _frame: FrameType | None) -> None:
        if self._cancelled:  # pressed again: something does not come back from a read
            self._workers.kill()
            os._exit(130)
        self._cancelled = True  # the reader looks at it before every file
        self._loop.task_runner.post_task(self._wake_reader)  # it may wait for its workers

    def _wake_reader(self) -> None:
        self._reading.post_task(self._let_reader_look)

    def _let_reader_look(self) -> None:
        if self._reader is not None:
            self._reader.on_step()
