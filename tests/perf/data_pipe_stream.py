"""Data pipe: stream 64 KiB chunks from one thread to another, against os.pipe and a plain memcpy.

The two threads are kept on two processors; without that the figure is mostly where the scheduler
happened to put them. Both sides try first and wait only when they must, which for os.pipe is what
a blocking read or write does.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from harness import Measure, main
from verdict import Target

import mojo_seq
from mojo_seq import ShouldWaitError, Signals
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.placing import pin, two_cores
from mojo_seq.cli.bench.scale import Scale

CHUNK = 64 * 1024
MEBIBYTE = 1024 * 1024


def gigabytes_per_second(
    scale: Scale, write_all: Callable[[int], object], read_all: Callable[[int], object]
) -> float:
    """Rate of moving a large number of bytes: `read_all` on a second thread, both warmed up."""
    here, there = two_cores()
    total = max(CHUNK * 16, scale.n(512 * MEBIBYTE) // CHUNK * CHUNK)
    warm_up = CHUNK * 16
    failures: list[BaseException] = []

    def reader() -> None:
        pin(there)
        try:
            read_all(warm_up)
            read_all(total)
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=reader)
    pin(here)
    thread.start()
    write_all(warm_up)
    start = time.perf_counter()
    write_all(total)
    thread.join()
    elapsed = time.perf_counter() - start
    if failures:
        raise RuntimeError("the reader failed") from failures[0]
    return total / elapsed / 1e9


def data_pipe(capacity: int, scale: Scale) -> float:
    producer, consumer = mojo_seq.create_data_pipe(capacity)
    chunk = bytes(CHUNK)
    buffer = bytearray(CHUNK)

    def write_all(total: int) -> None:
        left = total
        while left:
            try:
                left -= producer.write(chunk if left >= CHUNK else memoryview(chunk)[:left])
            except ShouldWaitError:
                mojo_seq.wait(producer, Signals.WRITABLE)

    def read_all(total: int) -> None:
        left = total
        while left:
            try:
                left -= consumer.readinto(buffer if left >= CHUNK else memoryview(buffer)[:left])
            except ShouldWaitError:
                mojo_seq.wait(consumer, Signals.READABLE)

    with producer, consumer:
        return gigabytes_per_second(scale, write_all, read_all)


def os_pipe(capacity: int, scale: Scale) -> float:
    read_fd, write_fd = os.pipe()
    fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, capacity)
    chunk = bytes(CHUNK)
    buffer = bytearray(CHUNK)

    def write_all(total: int) -> None:
        left = total
        while left:
            left -= os.write(write_fd, chunk if left >= CHUNK else memoryview(chunk)[:left])

    def read_all(total: int) -> None:
        left = total
        while left:
            left -= os.readv(read_fd, [buffer if left >= CHUNK else memoryview(buffer)[:left]])

    try:
        return gigabytes_per_second(scale, write_all, read_all)
    finally:
        os.close(read_fd)
        os.close(write_fd)


def memcpy(scale: Scale) -> float:
    """The same chunk from one warm buffer to another, in one thread: the bound in cache."""
    import numpy as np

    source = np.ones(CHUNK, np.uint8)
    target = np.zeros(CHUNK, np.uint8)

    def run(n: int) -> None:
        for _ in range(n):
            np.copyto(target, source)

    return CHUNK / scale.per_operation(run, 0.2) / 1e9


MEASURES = (
    Measure(
        "data pipe: stream between two threads, 64 KiB chunks",
        "GB/s",
        (
            Contender("mojo_seq, 64 KiB (default)", partial(data_pipe, 64 * 1024)),
            Contender("mojo_seq, 1 MiB", partial(data_pipe, MEBIBYTE)),
            Contender("os.pipe, 64 KiB (default)", partial(os_pipe, 64 * 1024)),
            Contender("os.pipe, 1 MiB", partial(os_pipe, MEBIBYTE)),
            Contender("memcpy (np.copyto), one thread", memcpy),
        ),
        (
            Target.better("mojo_seq, 64 KiB (default)", "os.pipe, 64 KiB (default)", 2),
            Target.better("mojo_seq, 1 MiB", "os.pipe, 1 MiB", 2),
        ),
        higher_is_better=True,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
