"""What children use while they do nothing."""

from __future__ import annotations

import ctypes
import resource
import time
from pathlib import Path
from typing import Any

from mojo_seq import Handle, ReadyWatch, Signals, Watcher
from puppets.leftovers import holdings
from puppets.stage import Prop


class Watching(Prop):
    """An armed watcher of many handles; counts what it is told."""

    def __init__(self, handles: list[Handle], signals: Signals) -> None:
        self.told = 0
        self.watcher = Watcher(self._notify)
        for number, handle in enumerate(handles):
            self.watcher.watch(handle, signals, number)
        self.ready: list[ReadyWatch] = self.watcher.arm()

    def _notify(self, *_: Any) -> None:
        self.told += 1

    def count(self) -> tuple[int, int]:
        return len(self.ready), self.told

    def close(self) -> None:
        self.watcher.close()


def watch(handles: list[Handle], signals: Signals) -> Watching:
    return Watching(handles, signals)


def processor_time(seconds: float) -> float:
    """What all threads of this process use together while it sleeps."""
    before = time.process_time()
    time.sleep(seconds)
    return time.process_time() - before


def memory() -> int:
    """Bytes that are resident now, without what is kept for the next large message.

    Nor what the C library keeps: a single block at the top of the heap may hold 100 MiB of freed
    blocks below it, and where that block lies depends on which thread was faster.
    """
    holdings()  # collects, and gives that back
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
