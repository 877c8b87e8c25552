"""OpenStreams: a pool's streams, which end with it."""

from __future__ import annotations

import threading
import weakref

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.pool.item_stream import ItemStream


class OpenStreams:
    """Knows those that are still used. Without them a shutdown would wait for generators that wait
    for somebody to take their items. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[ItemStream[Any]] = weakref.WeakSet()
        self._ended = False

    def add(self, stream: ItemStream[Any]) -> None:
        """One that has just been started."""
        with self._lock:
            self._streams.add(stream)
            ended = self._ended
        if ended:
            stream.end()

    def end_all(self) -> None:
        """The pool is being shut down: their generators are to end. Does not wait."""
        with self._lock:
            self._ended = True
            streams = list(self._streams)
        for each in streams:
            each.end()
