"""OpenFile: a file that is being read, and what is wrong with it."""

from __future__ import annotations

import os
import stat

from mojo_seq.cli.walk import Problem, explain

EXCESS = 16 * 1024 * 1024  # bytes: read at most so many more than the size that a file had


class OpenFile:
    """A regular file, read once from its beginning to its end.

    Raises:
        OSError: it cannot be opened, or is not a regular file any more.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.nbytes = 0  # read so far
        self.ended = False
        self.problem: Problem | None = None
        self._file = open(path, "rb", buffering=0, opener=_open_now)  # noqa: SIM115 (see close)
        self._before = os.fstat(self._file.fileno())
        if not stat.S_ISREG(self._before.st_mode):
            self.close()
            raise OSError(None, "no longer a regular file")

    def read_into(self, buffer: memoryview) -> int:
        """Read on, straight into `buffer`; the number of bytes. Sets `ended` and `problem`."""
        try:
            nbytes = self._file.readinto(buffer)
            self.nbytes += nbytes
            size = self._before.st_size  # 0 for files that the system makes up, as in /proc
            if nbytes == 0 or self.nbytes == size or self.nbytes > size + EXCESS:
                self.problem = self._what_is_wrong()
                self.close()
        except OSError as error:
            self.problem = Problem(self.path, "unreadable", explain(error))
            self.close()
            return 0
        return nbytes

    def _what_is_wrong(self) -> Problem | None:
        after = os.fstat(self._file.fileno())
        if after.st_size != self._before.st_size:
            reason = f"size went from {self._before.st_size} to {after.st_size} bytes"
        elif after.st_mtime_ns != self._before.st_mtime_ns:
            reason = "modified"
        elif self.nbytes > after.st_size + EXCESS:
            reason = f"size is {after.st_size} bytes, but there was no end"
        else:
            return None
        return Problem(self.path, "changed", f"{reason} while it was read")

    def close(self) -> None:
        """The end, wherever the file was at; harmless when repeated."""
        self.ended = True
        self._file.close()


def _open_now(path: str, flags: int) -> int:
    # Since the walk the file may have become a FIFO, and opening that would wait for a writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
