"""Where threads and processes run: an unpinned wake-up measures the scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mojo_seq.cli.bench.scale import UnavailableError

Cores = Callable[[], tuple[int | None, int | None]]
TwoCores = Callable[[], tuple[int, int]]


def anywhere() -> tuple[None, None]:
    """Wherever the scheduler puts the two."""
    return None, None


def one_core() -> tuple[int, int]:
    """The same processor twice, for two that are to share it."""
    core = min(os.sched_getaffinity(0))
    return core, core


def two_cores() -> tuple[int, int]:
    """Two different processors that we may use.

    Raises:
        UnavailableError: there is only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise UnavailableError("needs two processors")
    return usable[0], usable[1]


def apart() -> tuple[int, int]:
    """Two different processors, or twice the only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]


def pin(core: int) -> None:
    """Keeps the calling thread on one processor."""
    os.sched_setaffinity(0, {core})


def place(core: int | None) -> None:
    """Keeps this process, with all the threads that it has or makes, on one processor.

    A library's own threads too: on one processor nothing may be done on a second one on the side.
    """
    if core is not None:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
