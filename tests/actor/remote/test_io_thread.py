"""The thread for connections that nobody waits for, when its users come and go."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from strangers.fixtures import TIMEOUT

from mojo_seq.actor.remote.io_thread import IoThread


class _Lock:
    """Calls something just after it was let go of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.then: Callable[[], object] | None = None

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()
        then, self.then = self.then, None
        if then is not None:
            then()


def test_a_user_who_comes_just_when_the_last_one_goes_has_a_thread() -> None:
    io = IoThread()
    lock: Any = _Lock()
    io._lock = lock
    io.acquire()
    runners: list[Any] = []
    lock.then = lambda: runners.append(io.acquire())
    io.release(os.getpid())
    done = threading.Event()
    runners[0].post_task(done.set)
    assert done.wait(TIMEOUT)
    io.release(os.getpid())
