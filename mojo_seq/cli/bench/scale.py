"""How much work a sample does, and the ways to time it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from statistics import median

from mojo_seq.cli.bench.processor_time import ProcessorTime

BLOCKS = 5  # a sample's figure is the median of so many blocks of work
LEAST = 0.01  # seconds that a sample's blocks take together
WARM_UP = 5
PAUSE = 0.002  # seconds; any spin has given up by then


class UnavailableError(Exception):
    """Raised by a sample that this machine cannot take; says why."""


class Scale:
    """How much work one sample does, and what processor time it was seen to cost.

    Args:
        share: 1.0 is all of the work that a contender would do for a good figure.
    """

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        # Seconds that an operation keeps processors busy, those of other processes included; a
        # side that spins while it waits costs them too. None: not measured.
        self.cpu: float | None = None

    def n(self, full: int) -> int:
        """A number of repetitions: this share of `full`, at least one."""
        return max(1, int(full * self.share))

    def per_operation(
        self, run: Callable[[int], object], seconds: float = 0.5, operations: int = 1
    ) -> float:
        """Seconds per operation of `run(n)`, which does n times so many operations.

        Warms up, finds how many operations fill a block, and takes the median of BLOCKS blocks,
        so that being interrupted once does not show.
        """
        block = max(LEAST, seconds * self.share) / BLOCKS
        n = 50
        run(n)  # where there is another process, it has started then
        while (elapsed := timed(run, n)) < block / 10:
            n *= 4
        n = max(1, int(n * block / elapsed))
        with self.counting_cpu(n * BLOCKS * operations):
            return median(timed(run, n) for _ in range(BLOCKS)) / (n * operations)

    def per_turn(self, once: Callable[[], object], n: int) -> float:
        """Median seconds of `once()`, of n after a few that are not counted."""
        for _ in repeat(None, WARM_UP):
            once()
        times = []
        with self.counting_cpu(n):
            for _ in repeat(None, n):
                start = time.perf_counter()
                once()
                times.append(time.perf_counter() - start)
        return median(times)

    @contextmanager
    def counting_cpu(self, operations: int) -> Iterator[None]:
        """So many operations are done inside: their processor time is found in `cpu`."""
        used = ProcessorTime()
        yield
        seconds = used.seconds()
        if seconds is not None:
            self.cpu = seconds / operations


def timed(run: Callable[[int], object], n: int) -> float:
    """Seconds that `run(n)` takes."""
    start = time.perf_counter()
    run(n)
    return time.perf_counter() - start


def rested(operation: Callable[[], object], n: int) -> float:
    """Median seconds of an operation when whoever else takes part in it has fallen asleep."""
    times = []
    for _ in repeat(None, n):
        time.sleep(PAUSE)
        start = time.perf_counter()
        operation()
        times.append(time.perf_counter() - start)
    return median(times)
