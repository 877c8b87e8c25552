"""The reader: streams files to workers and tells one listener how it went.

It deals the files out to its *lanes*, one for each worker. When a worker is lost, the files that it
has not answered are dealt out again, to the others.

The listener gets these records, in messages, until the pipe is closed:

    {"files": [{"path", "size", "sha256", "entropy"}, ...]}     files are done
    {"problem": {"path", "kind", "reason"}}                     something could not be hashed
    {"progress": nbytes}                                        read so far, a few times a second
    {"lost": number}                                            a worker is gone: 1, 2, ...
    {"given_up": True}                                          no worker is left, but files are
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from mojo_seq import MessagePipeHandle
from mojo_seq.cli.lane import Lane
from mojo_seq.cli.open_file import OpenFile
from mojo_seq.cli.records import to_message
from mojo_seq.cli.walk import Problem, explain, walk
from mojo_seq.cli.worker import Figures

PROGRESS_INTERVAL = 0.1  # seconds


class Reader:
    """Lives on the sequence that makes it; owns the pipes that are given to it.

    Args:
        roots: files and folders.
        workers: the pipes to them.
        listener: the pipe for the records.
        cancelled: looked at before each file and after each step.
    """

    def __init__(
        self,
        roots: Iterable[str],
        workers: Iterable[MessagePipeHandle],
        listener: MessagePipeHandle,
        cancelled: Callable[[], bool],
    ) -> None:
        self.exhausted = False  # no files are left to be dealt out
        self._cancelled = cancelled
        self._found = walk(roots)
        self._again: deque[str] = deque()  # the files of lost workers
        self._listener = listener
        self._nbytes = 0
        self._next_progress = 0.0
        self._lanes = [Lane(number, worker, self) for number, worker in enumerate(workers, 1)]

    def next_file(self) -> OpenFile | None:
        """Open the next file that can be opened. None: there are no more, or we are cancelled."""
        while not self._cancelled():
            match self._again.popleft() if self._again else next(self._found, None):
                case None:
                    break
                case Problem() as problem:
                    self._report(problem)
                case path:
                    try:
                        return OpenFile(path)
                    except OSError as error:
                        self._report(Problem(path, "unreadable", explain(error)))
        self.exhausted = True
        return None

    def on_read(self, nbytes: int) -> None:
        """A lane has read something."""
        self._nbytes += nbytes
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + PROGRESS_INTERVAL
            self._send({"progress": self._nbytes})

    def on_done(self, answered: Iterable[tuple[OpenFile, Figures]]) -> None:
        """A worker has answered."""
        done = []
        for file, (nbytes, sha256, entropy) in answered:
            if file.problem is None:
                done.append(
                    {"path": file.path, "size": nbytes, "sha256": sha256, "entropy": entropy}
                )
            else:
                self._report(file.problem)
        if done:
            self._send({"files": done})

    def on_lost(self, lane: Lane, unanswered: Iterable[OpenFile]) -> None:
        """A worker is gone, and its lane with it."""
        self._lanes.remove(lane)
        self._send({"lost": lane.number})
        for file in unanswered:
            self._again.append(file.path)
            self._nbytes -= file.nbytes
            self.exhausted = False
        if not self._lanes and (left := self.next_file()):
            left.close()
            self._send({"given_up": True})
            self.exhausted = True
        for other in self._lanes:
            other.go_on()
        self.on_step()

    def on_step(self) -> None:
        """End if there is nothing more to do. To be called when something may have changed."""
        if self._cancelled() or (self.exhausted and all(lane.is_idle for lane in self._lanes)):
            self.close()

    def close(self) -> None:
        """Give up everything; harmless when repeated."""
        for lane in self._lanes:
            lane.close()
        self._listener.close()

    def _report(self, problem: Problem) -> None:
        self._send({"problem": problem._asdict()})

    def _send(self, record: object) -> None:
        self._listener.write_message(to_message(record))
