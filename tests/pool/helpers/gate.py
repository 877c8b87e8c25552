"""Gate: tasks in workers wait there until the test lets them go on, and tell that they do."""

from __future__ import annotations

import fcntl
import os
import select
from pathlib import Path

TIMEOUT = 30.0


class Gate:
    """Holds back every task that calls `pass_through(gate.path)`, until `open()`, or until the end
    of a `with` block: so that whoever waits for the tasks can, also if the test fails.

    A lock on a file and a FIFO, so that a task that waits is blocked in the kernel, can be killed
    at any time, and leaves nothing behind.

    Args:
        path: a folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        os.mkfifo(path / "begun")
        self._begun = os.open(path / "begun", os.O_RDWR)  # so that there is always a writer
        self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT)
        self.shut()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.open()

    def next_begun(self) -> int:
        """Waits until one more task is at the gate: the number of its process."""
        ready, _, _ = select.select([self._begun], [], [], TIMEOUT)
        assert ready, "no task has come to the gate"
        return int(os.read(self._begun, 8))

    def none_has_begun(self) -> bool:
        """No task has come that `next_begun` did not tell of."""
        return not select.select([self._begun], [], [], 0)[0]

    def open(self) -> None:
        """All may go on, those who are waiting and those who come."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def shut(self) -> None:
        """Those who come from now on wait."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        self.open()
        os.close(self._lock)
        os.close(self._begun)


def pass_through(path: str, value: object = None) -> object:
    """The task: says that it has begun, waits until the gate is open, returns `value`."""
    announce(path)
    descriptor = os.open(f"{path}/lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    return value


def announce(path: str) -> None:
    """Says that a task has begun in this process."""
    descriptor = os.open(f"{path}/begun", os.O_RDWR)  # does not wait for a reader
    try:
        os.write(descriptor, b"%8d" % os.getpid())
    finally:
        os.close(descriptor)


def pass_and_fail(path: str, text: str) -> None:
    """Raises once it may go on."""
    pass_through(path)
    raise ValueError(text)


def pass_and_die(path: str) -> None:
    """The process ends once it may go on."""
    pass_through(path)
    os._exit(7)


class AnnouncesItsEnd:
    """An object that tells when it is collected, but not in process `home`, that of the test."""

    def __init__(self, path: str, home: int) -> None:
        self.path = path
        self.home = home

    def __del__(self) -> None:
        if os.getpid() != self.home:
            announce(self.path)
