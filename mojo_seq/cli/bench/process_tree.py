"""The processes that come from this one: finding them, and ending those that were left."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL = 0.005  # seconds


def descendants() -> set[int]:
    """Children of this process, their children, and so on; also those that have just ended."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended meanwhile
                # After the name, which may have spaces and brackets in it: state, parent, ...
                _, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
                children[int(rest.split()[1])].append(int(folder.name))
    found = set[int]()
    new = children[os.getpid()]
    while new:
        found.update(new)
        new = [child for pid in new for child in children[pid]]
    return found


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Processes whose parent dies become children of this one, where `descendants` finds them."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)


def die_with(parent: int) -> None:
    """This process is killed when `parent` dies, whose main thread has started it."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it was too late


def end_descendants(spared: Collection[int], patience: float) -> None:
    """Wait until all others have ended, and kill what has not after `patience` seconds."""
    deadline = time.monotonic() + patience
    while left := descendants().difference(spared):
        for pid in left:
            with suppress(ChildProcessError, ProcessLookupError):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)  # if it is a child of this process: it is no more
        time.sleep(POLL)


def prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
