"""A worker: takes files out of a stream of bytes, answers with their digests and entropies.

All that a worker knows arrives through one message pipe, and all it says leaves through it. So it
does not matter to the other side on which thread, or in which process, it runs.

    first message:  the consumer end of the data pipe that carries the contents of all files
    request:        [[nbytes, ended], ...]  the next bytes in the data pipe, part by part: how many
                    of them belong to a file, and whether that was its end
    reply:          [[nbytes, sha256, entropy], ...]  of the files that have ended, in their order
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from mojo_seq import (
    DataPipeConsumerHandle,
    Message,
    MessagePipeHandle,
    PeerClosedError,
    Result,
    Signals,
    SignalsState,
    SimpleWatcher,
)
from mojo_seq.cli.records import from_message, to_message

LARGE = 128 * 1024  # bytes, from which on counting pairs is worth its larger table

Part = tuple[int, bool]  # nbytes, ended
Figures = tuple[int, str, float]  # nbytes, sha256, entropy
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Histogram = np.ndarray[Any, np.dtype[np.int64]]


class Worker:
    """Serves one message pipe, on the sequence that makes it, until the other end is closed.

    Args:
        pipe: belongs to the worker.
        on_closed: called when that has happened.
    """

    def __init__(
        self, pipe: MessagePipeHandle, on_closed: Callable[[], object] = lambda: None
    ) -> None:
        self._pipe = pipe
        self._on_closed = on_closed
        self._stream: DataPipeConsumerHandle | None = None
        self._sha256 = hashlib.sha256()
        self._histogram: Histogram = np.zeros(256, np.int64)
        self._watcher = SimpleWatcher()  # runs the callback as a task whenever there is something
        self._watcher.watch(pipe, Signals.READABLE, self._on_messages)

    def _on_messages(self, result: Result, _state: SignalsState) -> None:
        try:
            for message in self._pipe.read_batch():
                self._on_message(message)
        except PeerClosedError:  # nobody there any more, to ask or to be told
            self.close()
            self._on_closed()

    def _on_message(self, message: Message) -> None:
        if self._stream is None:
            with message:
                (stream,) = message.take_handles()
            assert isinstance(stream, DataPipeConsumerHandle)
            self._stream = stream
            return
        parts: list[Part] = from_message(message)
        total = sum(nbytes for nbytes, _ in parts)
        if total == 0:  # only empty files, or ends of files
            figures = self._digest(np.empty(0, np.uint8), parts)
        else:
            with self._stream.begin_read(total) as window:
                # The array is a view of the pipe's own memory. It is gone when the call returns,
                # as it must be before the window is given back.
                figures = self._digest(window.as_array(np.uint8), parts)
                window.consume(total)
        self._pipe.write_message(to_message(figures))

    def _digest(self, data: Bytes, parts: list[Part]) -> list[Figures]:
        finished: list[Figures] = []
        start = 0
        for nbytes, ended in parts:
            part = data[start : start + nbytes]
            start += nbytes
            self._sha256.update(part.data)
            self._histogram += count_bytes(part)
            if ended:
                size = int(self._histogram.sum())
                finished.append((size, self._sha256.hexdigest(), entropy(self._histogram)))
                self._sha256 = hashlib.sha256()
                self._histogram[:] = 0
        return finished

    def close(self) -> None:
        """Give up everything; harmless when repeated."""
        self._watcher.close()
        self._pipe.close()
        if self._stream is not None:
            self._stream.close()


def count_bytes(data: Bytes) -> Histogram:
    """How often each byte value occurs: a histogram of 256 bins."""
    if len(data) < LARGE:
        return np.bincount(data, minlength=256)
    # Pairs of bytes take half as many steps. Their histogram is a table whose rows and columns are
    # the two bytes, so its sums along both axes count all of them.
    pairs = data[: len(data) // 2 * 2].view(np.uint16)
    table = np.bincount(pairs, minlength=65536).reshape(256, 256)
    counts: Histogram = table.sum(axis=0) + table.sum(axis=1)
    if len(data) % 2:
        counts[data[-1]] += 1
    return counts


def entropy(histogram: Histogram) -> float:
    """Shannon entropy in bits per byte, from the number of times each byte value occurred."""
    counts = histogram[histogram > 0]
    if len(counts) < 2:
        return 0.0
    shares = counts / counts.sum()
    return float(-(shares @ np.log2(shares)))
