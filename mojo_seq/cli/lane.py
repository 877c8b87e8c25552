"""Lane: the reader's side of one worker."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from mojo_seq import (
    ArmingPolicy,
    MessagePipeHandle,
    PeerClosedError,
    Result,
    Signals,
    SignalsState,
    SimpleWatcher,
    create_data_pipe,
)
from mojo_seq.cli.open_file import OpenFile
from mojo_seq.cli.records import from_message, to_message
from mojo_seq.cli.worker import Figures, Part

if TYPE_CHECKING:
    from mojo_seq.cli.reader import Reader

CAPACITY = 2 * 1024 * 1024  # of each lane's data pipe
CHUNK = CAPACITY // 4  # read at a time: the worker computes on one while we read the next
UNANSWERED = 256  # files that a lane may be ahead of its worker


class Lane:
    """Streams files to one worker, one after the other, and takes its replies.

    It never waits for the worker: it is a small state machine that reads the next bytes of the next
    files straight into a data pipe whenever the pipe says that there is room. It has one open file
    and a bounded number of unanswered ones, so the memory in use does not depend on how many files
    there are, or how large they are.

    Args:
        number: the worker's.
        worker: the pipe to it.
        reader: gives out files, and is told of all that happens.
    """

    def __init__(self, number: int, worker: MessagePipeHandle, reader: Reader) -> None:
        self.number = number
        self._worker = worker
        self._reader = reader
        self._file: OpenFile | None = None
        self._unanswered: deque[OpenFile] = deque()  # the open one, too
        self._producer, consumer = create_data_pipe(CAPACITY)
        try:
            worker.write(b"", [consumer])
        except PeerClosedError:
            consumer.close()  # we shall hear of that
        self._replies = SimpleWatcher()
        self._replies.watch(worker, Signals.READABLE, self._on_replies)
        # Manual: room alone is no reason to go on, there must also be somebody to keep up with us.
        self._room = SimpleWatcher(ArmingPolicy.MANUAL)
        self._room.watch(self._producer, Signals.WRITABLE, self._on_room)
        self._armed = False
        self.go_on()

    @property
    def is_idle(self) -> bool:
        """Whether the worker has answered everything."""
        return not self._unanswered

    def go_on(self) -> None:
        """Read on when there is room, if there is something to read."""
        more = not self._reader.exhausted and len(self._unanswered) < UNANSWERED
        if not self._armed and (more or self._file is not None):
            self._armed = True
            self._room.arm_or_notify()

    def _on_room(self, _result: Result, _state: SignalsState) -> None:
        self._armed = False
        try:
            if parts := self._fill():
                self._worker.write_message(to_message(parts))
        except PeerClosedError:
            self._lose()
        else:
            self.go_on()
            self._reader.on_step()

    def _fill(self) -> list[Part]:
        parts: list[Part] = []
        with self._producer.begin_write() as window:
            with memoryview(window)[:CHUNK] as chunk:  # the pipe's own memory
                self._read_files(chunk, parts)
            window.commit(sum(nbytes for nbytes, _ in parts))
        return parts

    def _read_files(self, chunk: memoryview, parts: list[Part]) -> None:
        while chunk.nbytes:
            if self._file is None:
                if len(self._unanswered) >= UNANSWERED:
                    return
                self._file = self._reader.next_file()
                if self._file is None:
                    return
                self._unanswered.append(self._file)
            nbytes = self._file.read_into(chunk)
            parts.append((nbytes, self._file.ended))
            if self._file.ended:
                self._file = None
            self._reader.on_read(nbytes)
            chunk = chunk[nbytes:]

    def _on_replies(self, _result: Result, _state: SignalsState) -> None:
        try:
            self._take_replies()
        except PeerClosedError:
            self._lose()
        else:
            self.go_on()
            self._reader.on_step()

    def _take_replies(self) -> None:
        while messages := self._worker.read_batch():
            for message in messages:
                replies: list[Figures] = from_message(message)
                self._reader.on_done([(self._unanswered.popleft(), each) for each in replies])

    def _lose(self) -> None:
        """The worker is gone, and with it what it has not said before."""
        with suppress(PeerClosedError):  # that is what we know already
            self._take_replies()
        self.close()
        self._reader.on_lost(self, self._unanswered)

    def close(self) -> None:
        """Tell the worker that there is nothing more to do."""
        if self._file is not None:
            self._file.close()
        self._room.close()
        self._replies.close()
        self._producer.close()
        self._worker.close()
