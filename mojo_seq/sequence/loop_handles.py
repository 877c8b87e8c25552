"""What `call_soon` and `call_later` of a SequenceEventLoop return."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from typing import Any

    from mojo_seq._core import TaskHandle


class ReadyHandle(asyncio.Handle):
    """A callback that is ready to run. Made as asyncio makes its own, but for debug mode, in a
    third of the time: there is one for each step of each task."""

    __slots__ = ()

    if not TYPE_CHECKING:  # the attributes of asyncio's class are not public

        def __init__(
            self,
            callback: Callable[..., object],
            args: tuple[Any, ...],
            loop: asyncio.AbstractEventLoop,
            context: Context | None = None,
        ) -> None:
            self._context = copy_context() if context is None else context
            self._loop = loop
            self._callback = callback
            self._args = args
            self._cancelled = False
            self._repr = None
            self._source_traceback = None


class LoopTimer(asyncio.TimerHandle):
    """A delayed callback. Compared by identity: the loop keeps the waiting ones in a set."""

    __slots__ = ("posted",)
    posted: TaskHandle  # what wakes the loop for it

    if TYPE_CHECKING:  # of asyncio
        _loop: Any
        _scheduled: bool

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other
