"""TaskTraits: how a sequence's tasks are to be treated."""

from __future__ import annotations

import enum


class TaskPriority(enum.IntEnum):
    """Which ready sequence of a pool gets the next free thread: always one of the highest."""

    BEST_EFFORT = 0
    USER_VISIBLE = 1
    USER_BLOCKING = 2


class ShutdownBehavior(enum.IntEnum):
    """What becomes of tasks when their pool is shut down.

    SKIP_ON_SHUTDOWN: queued tasks are dropped; a running one is waited for.
    BLOCK_SHUTDOWN: queued tasks are run before shutdown returns.
    CONTINUE_ON_SHUTDOWN: queued tasks are dropped; a running one is not waited for.
    """

    SKIP_ON_SHUTDOWN = 0
    BLOCK_SHUTDOWN = 1
    CONTINUE_ON_SHUTDOWN = 2


class TaskTraits:
    """The traits of a sequence; immutable, equal by value.

    Args:
        priority: which sequences go first.
        may_block: its tasks may wait for I/O or locks: while one runs, the pool may use one more
            thread than `max_workers`.
        shutdown: what becomes of its tasks at shutdown.
    """

    __slots__ = ("_may_block", "_priority", "_shutdown")

    def __init__(
        self,
        priority: TaskPriority = TaskPriority.USER_VISIBLE,
        may_block: bool = False,
        shutdown: ShutdownBehavior = ShutdownBehavior.SKIP_ON_SHUTDOWN,
    ) -> None:
        if not isinstance(priority, TaskPriority):
            raise TypeError(f"priority must be a TaskPriority, not {priority!r}")
        if not isinstance(shutdown, ShutdownBehavior):
            raise TypeError(f"shutdown must be a ShutdownBehavior, not {shutdown!r}")
        self._priority = priority
        self._may_block = bool(may_block)
        self._shutdown = shutdown

    @property
    def priority(self) -> TaskPriority:
        """Which sequences go first."""
        return self._priority

    @property
    def may_block(self) -> bool:
        """Whether the tasks may wait for I/O or locks."""
        return self._may_block

    @property
    def shutdown(self) -> ShutdownBehavior:
        """What becomes of the tasks at shutdown."""
        return self._shutdown

    def _key(self) -> tuple[TaskPriority, bool, ShutdownBehavior]:
        return self._priority, self._may_block, self._shutdown

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, TaskTraits) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return (
            f"TaskTraits(priority={self._priority!r}, may_block={self._may_block}, "
            f"shutdown={self._shutdown!r})"
        )
