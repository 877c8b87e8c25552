"""TaskOptions: how a task is started, besides what it calls."""

from __future__ import annotations

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class TaskOptions:
    """What a pool's `_start` takes. Not to be changed.

    Args:
        timeout: seconds that it may run; None: no limit.
        retries: how often it is run again after a worker's death.
        scope: whose `deadline` the task is to know of.
        on_item: called with what the task sends before its result, on the pool's thread.
    """

    __slots__ = ("on_item", "retries", "scope", "timeout")

    def __init__(
        self,
        timeout: float | None = None,
        retries: int = 0,
        scope: Any = None,
        on_item: Callable[[Any], object] | None = None,
    ) -> None:
        self.timeout = timeout
        self.retries = retries
        self.scope = scope
        self.on_item = on_item


USUAL = TaskOptions()
