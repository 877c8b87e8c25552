"""Deadline: how long a call may still wait."""

from __future__ import annotations

from time import monotonic

from mojo_seq import _core

_LONGEST_POLL = 24 * 3600.0  # poll() takes an int of milliseconds


class Deadline:
    """The end of a timeout that begins now.

    Args:
        timeout: seconds; None or infinite: no limit; zero or less: only look.

    Raises:
        InvalidArgumentError: the timeout is not a number.
    """

    __slots__ = ("_end",)

    def __init__(self, timeout: float | None) -> None:
        self._end: float | None = None
        if timeout is not None:
            end = monotonic() + timeout
            if end != end:
                raise _core.InvalidArgumentError("the timeout is not a number")
            self._end = end

    def remaining(self) -> float | None:
        """Seconds that are left, never below zero; None: no limit."""
        return None if self._end is None else max(0.0, self._end - monotonic())

    def passed(self) -> bool:
        """True once no time is left."""
        return self._end is not None and monotonic() >= self._end

    def wait_readable(self, fd: int) -> bool:
        """Waits until `fd` is readable or hung up; False: the time is over. Reacts to Ctrl-C."""
        import select

        poller = select.poll()
        poller.register(fd, select.POLLIN)
        while True:
            remaining = self.remaining()
            if remaining is None or remaining > _LONGEST_POLL:
                remaining = _LONGEST_POLL
            # Rounded up: a poll that ends early would be followed by many that wait for nothing.
            if poller.poll(int(remaining * 1000) + 1 if remaining else 0):
                return True
            if self.passed():
                return False
