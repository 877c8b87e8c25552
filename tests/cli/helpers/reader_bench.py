"""A reader whose workers are the test itself, so anything can happen at any moment it likes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mojo_seq import (
    DataPipeConsumerHandle,
    MessagePipeHandle,
    PeerClosedError,
    RunLoop,
    create_message_pipe,
)
from mojo_seq.cli.reader import Reader
from mojo_seq.cli.records import from_message, to_message
from mojo_seq.cli.worker import Part


class WorkerByHand:
    """Takes requests and answers them when the test says so."""

    def __init__(self, pipe: MessagePipeHandle) -> None:
        self.pipe = pipe
        with pipe.read() as message:
            (stream,) = message.take_handles()
        assert isinstance(stream, DataPipeConsumerHandle)
        self.stream = stream
        self.nbytes = 0  # of the current file

    def requests(self) -> list[list[Part]]:
        try:
            return [from_message(message) for message in self.pipe.read_batch()]
        except PeerClosedError:
            return []

    def answer(self, parts: list[Part]) -> None:
        figures = []
        for nbytes, ended in parts:
            assert self.stream.discard(nbytes, all_or_none=True) == nbytes
            self.nbytes += nbytes
            if ended:
                figures.append((self.nbytes, f"{self.nbytes:064x}", 1.5))
                self.nbytes = 0
        self.pipe.write_message(to_message(figures))

    def die(self) -> None:
        """As a process does: all that it has is closed, in any order."""
        self.stream.close()
        self.pipe.close()


class Bench:
    """A reader on a run loop that runs only when the test says so, with workers by hand."""

    def __init__(self, root: Path, workers: int = 1, *, stillborn: int = 0) -> None:
        self.cancelled = False
        self.results, listener = create_message_pipe()
        pipes = [create_message_pipe() for _ in range(workers + stillborn)]
        near_ends = [near for near, _ in pipes]
        for _, far in pipes[workers:]:
            far.close()
        self.readers: list[Reader] = []
        self._loop = RunLoop()

        def start() -> None:
            self.readers.append(Reader([str(root)], near_ends, listener, lambda: self.cancelled))

        self._loop.task_runner.post_task(start)
        self.run()
        self.workers = [WorkerByHand(far) for _, far in pipes[:workers]]
        self._hired = self.workers[:]

    def run(self) -> None:
        self._loop.run_until_idle()

    def wake(self) -> None:
        """Tell the reader that something may have changed."""
        self._loop.task_runner.post_task(self.readers[0].on_step)
        self.run()

    def serve_all(self) -> None:
        """Let every worker answer until nothing more comes."""
        busy = True
        while busy:
            self.run()
            busy = False
            for worker in self.workers:
                for parts in worker.requests():
                    worker.answer(parts)
                    busy = True

    def kill(self, worker: WorkerByHand) -> None:
        worker.die()
        self.workers.remove(worker)

    def outcomes(self) -> list[dict[str, Any]]:
        """What the listener was told, one by one; the pipe must be closed by now."""
        found: list[dict[str, Any]] = []
        with pytest.raises(PeerClosedError):
            while True:
                match from_message(self.results.read()):
                    case {"files": files}:
                        found.extend({"file": file} for file in files)
                    case record:
                        found.append(record)
        return [outcome for outcome in found if "progress" not in outcome]

    def sizes(self) -> list[int]:
        """Of the files that are done, in ascending order; nothing else may have happened to any."""
        outcomes = [each for each in self.outcomes() if "lost" not in each]
        return sorted(outcome["file"]["size"] for outcome in outcomes)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._hired:
            worker.die()
        self.results.close()
