"""The default executor of all SequenceEventLoops: for to_thread and name resolution."""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

# asyncio has up to 32 threads for each loop. We have thousands of loops, whose blocking calls may
# wait for one another; a thread is only started when none is idle.
MOST_THREADS = 256


class _Shared:
    """The executor that is shared by those who keep it; its idle threads end with the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: weakref.ref[ThreadPoolExecutor] | None = None  # _lock

    def get(self) -> ThreadPoolExecutor:
        with self._lock:
            executor = self._executor() if self._executor is not None else None
            if executor is None:
                executor = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="mojo_seq-blocking")
                self._executor = weakref.ref(executor)
            return executor

    def after_fork(self) -> None:
        """In the child, which has none of the threads."""
        self._lock = threading.Lock()
        self._executor = None


_shared = _Shared()
os.register_at_fork(after_in_child=_shared.after_fork)
shared_executor = _shared.get
