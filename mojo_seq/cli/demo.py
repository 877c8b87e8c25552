"""``python -m mojo_seq demo``: which sequence does what, and which pipe leads where.

  reader sequence                     worker sequences (N)
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
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from types import FrameType

from mojo_seq import (
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
from mojo_seq.cli.worker import Worker


def main(paths: list[str], workers: int, *, as_json: bool) -> int:
    """Hash everything under `paths`, print the report, return the exit code."""
    paths = paths or [sysconfig.get_path("stdlib")]
    for path in paths:
        try:
            os.stat(path)
        except OSError as error:
            print(f"error: {path!r}: {explain(error)}", file=sys.stderr)
            return 2
    paths = distinct_roots(paths)
    try:
        with closing(Ledger()) as ledger:
            with closing(make_progress(paths)) as progress:
                Demo(paths, workers, ledger, progress).run()
            return _print(ledger, paths, workers, as_json=as_json)
    except (ResourceExhaustedError, OSError) as error:
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


class Demo:
    """The main thread's part: makes the pipes and the sequences, then listens."""

    def __init__(self, paths: list[str], workers: int, ledger: Ledger, progress: Progress) -> None:
        self._paths = paths
        self._worker_count = workers
        self._ledger = ledger
        self._progress = progress
        self._loop = RunLoop()
        self._cancelled = threading.Event()
        self._failure: BaseException | None = None
        self._hosted: list[Reader | Worker] = []  # a sequence keeps no objects alive, we do

    def run(self) -> None:
        """Return when all files are done, or soon after Ctrl-C."""
        previous = signal.signal(signal.SIGINT, self._on_ctrl_c)
        try:
            with ThreadPool(self._worker_count + 2, name="demo") as pool:
                self._loop.task_runner.post_task(self._start, pool)
                self._loop.run()
                self._ledger.finish(interrupted=self._cancelled.is_set())
            for hosted in self._hosted:
                # A worker that was busy while the pool was left has not been told of the end.
                if isinstance(hosted, Worker):
                    hosted.close()
        finally:
            signal.signal(signal.SIGINT, previous)
        if self._failure is not None:
            raise self._failure

    def _start(self, pool: ThreadPool) -> None:
        self._results, listener = create_message_pipe()
        self._watcher = SimpleWatcher()
        self._watcher.watch(self._results, Signals.READABLE, self._on_results)
        cancelled = self._cancelled.is_set
        pipes = [create_message_pipe() for _ in range(self._worker_count)]
        for _, far_end in pipes:
            self._make_runner(pool).post_task(self._host, Worker, far_end)
        near_ends = [near_end for near_end, _ in pipes]
        self._make_runner(pool).post_task(
            self._host, Reader, self._paths, near_ends, listener, cancelled
        )
        self._make_runner(pool).post_task_and_reply(
            partial(survey, self._paths, cancelled), self._progress.set_total
        )

    def _make_runner(self, pool: ThreadPool) -> SequencedTaskRunner:
        # BLOCK_SHUTDOWN: the tasks that close handles are run even though the pool is being left.
        traits = TaskTraits(may_block=True, shutdown=ShutdownBehavior.BLOCK_SHUTDOWN)
        runner = pool.create_sequenced_task_runner(traits=traits)
        runner.exception_handler = self._on_failure
        return runner

    def _host(self, kind: Callable[..., Reader | Worker], *args: object) -> None:
        self._hosted.append(kind(*args))

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

    def _on_failure(self, error: TaskError) -> None:
        """A defect, on whatever sequence: stop everything and let `run` raise it."""
        self._failure = self._failure or error.exception  # the first one; others follow from it
        self._cancelled.set()
        self._loop.task_runner.post_task(self._loop.quit)

    def _on_ctrl_c(self, _signal: int, _frame: FrameType | None) -> None:
        if self._cancelled.is_set():  # pressed again: something does not come back from a read
            os._exit(130)
        self._cancelled.set()  # the reader looks at it before every read
