"""What a test leaves behind: engine objects, threads, processes and, if asked, descriptors."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from mojo_seq import _core

# The I/O thread lets go of what it was told of only after whoever waited for that goes on; so does
# a thread or a process that was told to end.
SETTLING = 2.0


class State(NamedTuple):
    """What there is at one moment. Engine objects are counted: only what a test adds is its own."""

    engine_objects: dict[str, int]
    threads: set[threading.Thread]
    processes: set[int]
    descriptors: set[tuple[int, str]]


def state(*, descriptors: bool = False) -> State:
    """What there is now, after a garbage collection.

    Args:
        descriptors: look for open files, too.
    """
    gc.collect()
    return State(
        _core.live_objects(),
        set(threading.enumerate()),
        _children(),
        _descriptors() if descriptors else set(),
    )


def left_behind(before: State, *, descriptors: bool = False) -> list[str]:
    """What has been added since `before` and does not go away by itself: one text for each.

    Gives what is on its way out a moment to be gone.
    """
    deadline = time.monotonic() + SETTLING
    while left := _difference(before, state(descriptors=descriptors)):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.01)
    return left


def _difference(before: State, after: State) -> list[str]:
    left = [
        f"{count - before.engine_objects[kind]} {kind}"
        for kind, count in after.engine_objects.items()
        if count > before.engine_objects[kind]
    ]
    left += sorted(f"thread {each.name}" for each in after.threads - before.threads)
    left += [f"process {pid}" for pid in sorted(after.processes - before.processes)]
    left += [f"descriptor {fd}" for fd in sorted(after.descriptors - before.descriptors)]
    return left


def _children() -> set[int]:
    found = set[int]()
    for thread in Path("/proc/self/task").iterdir():
        try:
            found.update(map(int, (thread / "children").read_text().split()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now, or the kernel does not tell
    return found - _helpers()


def _helpers() -> set[int]:
    """The processes that multiprocessing starts once, and keeps."""
    found = set[int]()
    for module, keeper, pid in (
        ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
        ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ):
        loaded = sys.modules.get(module)
        found.add(getattr(getattr(loaded, keeper, None), pid, None) or 0)
    return found


def _descriptors() -> set[tuple[int, str]]:
    found = set[tuple[int, str]]()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    # A pipe that is in use gets a ring, and gives it back later: that is not the test's doing.
    return {each for each in found if not each[1].startswith("/memfd:mojo_seq ring")}
