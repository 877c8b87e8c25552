"""What is to be called at the interpreter's exit, by things that come and go."""

from __future__ import annotations

import atexit
import os
import threading

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Call: TypeAlias = Callable[[], object]


class ExitCalls:
    """Calls them in the order of `atexit`, the last to be added first, also as to those of others.

    `atexit` itself (before Python 3.14) never forgets that there was an entry, and looks at all
    that there ever were to remove one: who adds and removes some all the time gets slower and
    slower. So calls share an entry as long as nobody else has made one after it.
    """

    def __init__(self) -> None:
        self._forget_entry()
        self._entries: dict[_Call, _Entry] = {}  # where each call is

    def _forget_entry(self) -> None:
        """Also in a forked child, where `atexit` may have forgotten it, too."""
        self._lock = threading.Lock()  # of those who add
        self._last: _Entry | None = None  # _lock
        self._count = 0  # _lock: of entries, also others', when the last one was made

    def add(self, call: _Call) -> None:
        """Any thread. One that is there already becomes the last."""
        self.remove(call)
        with self._lock:
            entry = self._last
            if entry is None or atexit._ncallbacks() != self._count:
                before, self._last = entry, _Entry()
                entry = self._last
                atexit.register(entry)
                self._count = atexit._ncallbacks()
                if before is not None and not before.calls:
                    atexit.unregister(before)
            self._entries[call] = entry
            entry.calls[call] = None

    def remove(self, call: _Call) -> None:
        """Any thread; harmless if it is not there. Also called by finalizers, so it takes no lock:
        each step is one for other threads."""
        entry = self._entries.pop(call, None)
        if entry is None:
            return
        entry.calls.pop(call, None)
        if not entry.calls and entry is not self._last:
            atexit.unregister(entry)


class _Entry:
    """One of `atexit`."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: dict[_Call, None] = {}  # in the order in which they came

    def __call__(self) -> None:
        while self.calls:
            call, _ = self.calls.popitem()
            try:
                call()
            except BaseException:  # of Ctrl-C, too: `atexit` tells of it, and goes on with others
                self()
                raise


exit_calls = ExitCalls()
os.register_at_fork(after_in_child=exit_calls._forget_entry)
