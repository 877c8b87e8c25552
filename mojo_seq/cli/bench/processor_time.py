"""Processor time: what this process and all that come from it use of it."""

from __future__ import annotations

import resource
import time
from contextlib import suppress

from mojo_seq.cli.bench.process_tree import descendants

CPUCLOCK_SCHED = 2  # of a whole process, in nanoseconds


class ProcessorTime:
    """Of all threads, since this was made; the processes that are there by then, or come later."""

    def __init__(self) -> None:
        self._others = of_descendants()
        self._own = of_this_process()  # last: looking for the others costs time, too

    def seconds(self) -> float | None:
        """None: this system does not tell."""
        own = of_this_process()
        others = of_descendants()
        if others is None or self._others is None:
            return None
        return max(own - self._own + others - self._others, 0.0)


def of_this_process() -> float:
    """And of its children that have ended."""
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + reaped.ru_utime + reaped.ru_stime


def of_descendants() -> float | None:
    """Since they started."""
    total, told, found = 0.0, 0, descendants()
    for pid in found:
        with suppress(OSError):  # it has ended meanwhile
            total += time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
            told += 1
    return None if found and not told else total
