"""The reader: streams files to workers and tells one listener how it went.

It never waits for a worker: each one has a *lane*, a small state machine that reads the next bytes
of the next files straight into a data pipe whenever the pipe says that there is room. A lane has
one open file and a bounded number of unanswered ones, so the memory in use does not depend on how
many files there are, or how large they are.

The listener gets these records, in messages, until the pipe is closed:

    {"files": [{"path", "size", "sha256", "entropy"}, ...]}     files are done
    {"problem": {"path", "kind", "reason"}}                     something could not be hashed
    {"progress": nbytes}                                        read so far, a few times a second
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable

from mojo_seq import (
    ArmingPolicy,
    MessagePipeHandle,
    Result,
    Signals,
    SignalsState,
    SimpleWatcher,
    create_data_pipe,
)
from mojo_seq.cli.records import from_message, to_message
from mojo_seq.cli.walk import Problem, explain, walk
from mojo_seq.cli.worker import Figures, Part

CAPACITY = 2 * 1024 * 1024  # of each lane's data pipe
CHUNK = CAPACITY // 4  # read at a time: the worker computes on one while we read the next
UNANSWERED = 256  # files that a lane may be ahead of its worker
EXCESS = 16 * 1024 * 1024  # bytes: read at most so many more than the size that a file had
PROGRESS_INTERVAL = 0.1  # seconds


class Reader:
    """Lives on the sequence that makes it; owns the pipes that are given to it."""

    def __init__(
        self,
        roots: Iterable[str],
        workers: Iterable[MessagePipeHandle],
        listener: MessagePipeHandle,
        cancelled: Callable[[], bool],
    ) -> None:
        self.cancelled = cancelled
        self._found = walk(roots)
        self._listener = listener
        self._nbytes = 0
        self._next_progress = 0.0
        self._lanes = {_Lane(pipe, self) for pipe in workers}

    def next_file(self) -> _File | None:
        """Open the next file that can be opened. None: there are no more, or we are cancelled."""
        while not self.cancelled():
            match next(self._found, None):
                case None:
                    break
                case Problem() as problem:
                    self.report(problem)
                case path:
                    try:
                        return _File(path)
                    except OSError as error:
                        self.report(Problem(path, "unreadable", explain(error)))
        return None

    def report(self, problem: Problem) -> None:
        self.send({"problem": problem._asdict()})

    def progress(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + PROGRESS_INTERVAL
            self.send({"progress": self._nbytes})

    def send(self, record: object) -> None:
        self._listener.write_message(to_message(record))

    def on_lane_closed(self, lane: _Lane) -> None:
        self._lanes.remove(lane)
        if not self._lanes:
            self._listener.close()


class _Lane:
    """Streams files to one worker, one after the other, and takes its replies."""

    def __init__(self, worker: MessagePipeHandle, reader: Reader) -> None:
        self._worker = worker
        self._reader = reader
        self._file: _File | None = None
        self._unanswered: deque[_File] = deque()
        self._exhausted = False
        self._producer, consumer = create_data_pipe(CAPACITY)
        worker.write(b"", [consumer])
        self._replies = SimpleWatcher()
        self._replies.watch(worker, Signals.READABLE, self._on_replies)
        # Manual: room alone is no reason to go on, there must also be somebody to keep up with us.
        self._room = SimpleWatcher(ArmingPolicy.MANUAL)
        self._room.watch(self._producer, Signals.WRITABLE, self._on_room)
        self._room.arm_or_notify()
        self._armed = True

    def _on_room(self, result: Result, _state: SignalsState) -> None:
        if result is not Result.OK:
            raise RuntimeError("a worker has closed its data pipe")
        self._armed = False
        parts: list[Part] = []
        with self._producer.begin_write() as window:
            with memoryview(window)[:CHUNK] as chunk:  # the pipe's own memory
                self._read_files(chunk, parts)
            window.commit(sum(nbytes for nbytes, _ in parts))
        if parts:
            self._worker.write_message(to_message(parts))
        self._go_on()

    def _read_files(self, chunk: memoryview, parts: list[Part]) -> None:
        while chunk.nbytes and not self._exhausted:
            if self._file is None:
                if len(self._unanswered) >= UNANSWERED:
                    return
                self._file = self._reader.next_file()
                if self._file is None:
                    self._exhausted = True
                    return
                self._unanswered.append(self._file)
            nbytes = self._file.read_into(chunk)
            parts.append((nbytes, self._file.ended))
            if self._file.ended:
                self._file = None
            self._reader.progress(nbytes)
            chunk = chunk[nbytes:]

    def _on_replies(self, result: Result, _state: SignalsState) -> None:
        if result is not Result.OK:
            raise RuntimeError("a worker has closed its message pipe")
        for message in self._worker.read_batch():
            done = []
            replies: list[Figures] = from_message(message)
            for nbytes, sha256, entropy in replies:
                file = self._unanswered.popleft()
                if file.problem is None:
                    done.append(
                        {"path": file.path, "size": nbytes, "sha256": sha256, "entropy": entropy}
                    )
                else:
                    self._reader.report(file.problem)
            if done:
                self._reader.send({"files": done})
        self._go_on()

    def _go_on(self) -> None:
        if self._reader.cancelled() or (self._exhausted and not self._unanswered):
            self._close()
        elif not self._armed and not self._exhausted and len(self._unanswered) < UNANSWERED:
            self._armed = True
            self._room.arm_or_notify()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._room.close()
        self._replies.close()
        self._producer.close()
        self._worker.close()
        self._reader.on_lane_closed(self)


class _File:
    """An open file, and what is wrong with it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.ended = False
        self.problem: Problem | None = None
        self._file = open(path, "rb", buffering=0, opener=_open_now)  # noqa: SIM115 (see close)
        self._before = os.fstat(self._file.fileno())
        self._nbytes = 0
        if not stat.S_ISREG(self._before.st_mode):
            self.close()
            raise OSError(None, "no longer a regular file")

    def read_into(self, buffer: memoryview) -> int:
        """Read on, straight into `buffer`; the number of bytes. Sets `ended` and `problem`."""
        try:
            nbytes = self._file.readinto(buffer)
            self._nbytes += nbytes
            size = self._before.st_size  # 0 for files that the system makes up, as in /proc
            if nbytes == 0 or self._nbytes == size or self._nbytes > size + EXCESS:
                self.problem = self._what_is_wrong()
                self.close()
        except OSError as error:
            self.problem = Problem(self.path, "unreadable", explain(error))
            self.close()
            return 0
        return nbytes

    def _what_is_wrong(self) -> Problem | None:
        after = os.fstat(self._file.fileno())
        if after.st_size != self._before.st_size:
            reason = f"size went from {self._before.st_size} to {after.st_size} bytes"
        elif after.st_mtime_ns != self._before.st_mtime_ns:
            reason = "modified"
        elif self._nbytes > after.st_size + EXCESS:
            reason = f"size is {after.st_size} bytes, but there was no end"
        else:
            return None
        return Problem(self.path, "changed", f"{reason} while it was read")

    def close(self) -> None:
        self.ended = True
        self._file.close()


def _open_now(path: str, flags: int) -> int:
    # Since the walk the file may have become a FIFO, and opening that would wait for a writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
