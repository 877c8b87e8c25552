"""The selector of a SequenceEventLoop: costs nothing until the loop waits for I/O."""

from __future__ import annotations

import os
import selectors
import weakref

from mojo_seq.sequence import selector_thread

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mojo_seq.sequence.selector_thread import SelectorThread
    from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

    _Registered = Mapping[Any, selectors.SelectorKey]

_NOTHING: dict[Any, selectors.SelectorKey] = {}  # never changed


class LoopSelector(selectors.BaseSelector):
    """An epoll of the loop's own, made when the first descriptor is registered.

    Args:
        loop: its `_on_selector()` is called, on another thread, when a `select(0)` has something to
            tell; once for each `arm()`.
    """

    def __init__(self, loop: weakref.ref[SequenceEventLoop]) -> None:
        self._loop = loop
        self._epoll: selectors.EpollSelector | None = None
        self._thread: SelectorThread | None = None
        self._process = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().register(fileobj, events, data)

    def _made(self) -> selectors.EpollSelector:
        if self._epoll is not None:
            return self._epoll
        loop = self._loop()
        assert loop is not None  # it called
        epoll = selectors.EpollSelector()
        try:
            self._thread = selector_thread.watch(epoll.fileno(), loop._on_selector)
        except BaseException:
            epoll.close()
            raise
        self._epoll = epoll
        self._process = os.getpid()
        return epoll

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        if self._epoll is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return self._epoll.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        if self._epoll is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return self._epoll.get_key(fileobj)

    def get_map(self) -> _Registered:
        return _NOTHING if self._epoll is None else self._epoll.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return [] if self._epoll is None else self._epoll.select(timeout)

    def arm(self) -> None:
        """Wants to be notified once more."""
        if self._epoll is not None and self._thread is not None:
            self._thread.arm(self._epoll.fileno())

    def close(self) -> None:
        epoll, self._epoll = self._epoll, None
        thread, self._thread = self._thread, None
        if epoll is not None:
            # In a forked child the registration is still the parent's.
            if thread is not None and os.getpid() == self._process:
                thread.remove(epoll.fileno())
            epoll.close()
