"""Lifeline: a socket whose end tells a started process that its parent is gone."""

from __future__ import annotations

import os
import threading

from mojo_seq.process import stream_sockets

# Every copy of the parent's end would keep the children alive when the parent is gone. So it is
# not inherited by programs, and forked children close theirs: the lock makes sure that there is
# no fork between the making of a descriptor and its being noted here.
_lock = threading.RLock()
_open = set[int]()  # _lock


class Lifeline:
    """One end stays here, the other, `child_fd`, is inherited by the process to be started.

    Raises:
        ResourceExhaustedError: no descriptors or memory left.
    """

    def __init__(self) -> None:
        with _lock:
            self._fd, self.child_fd = stream_sockets.make_pair()
            _open.add(self._fd)

    def close_child_end(self) -> None:
        """To be called when the child has its copy."""
        os.close(self.child_fd)

    def close(self) -> None:
        """The process is gone; or is to go. Nothing happens the second time, or after a fork."""
        with _lock:
            if self._fd in _open:
                _open.remove(self._fd)
                os.close(self._fd)
                self._fd = -1


def _close_all() -> None:
    for fd in _open:
        os.close(fd)
    _open.clear()
    _lock.release()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_close_all)
