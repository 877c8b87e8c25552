"""GroupTasks: what a task group on a process pool starts its tasks with."""

from __future__ import annotations

from mojo_seq.pool.call_encoding import check_callable
from mojo_seq.pool.task_options import TaskOptions

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.task_starter import TaskStarter
    from mojo_seq.sequence.cancellation import Cancellation


class GroupTasks:
    """Starts tasks of groups on a process pool, or on a view of it with options."""

    can_kill = True

    def __init__(self, pool: TaskStarter) -> None:
        self._pool = pool

    def start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        scope: Cancellation,
    ) -> PoolFuture[Any]:
        """Starts a task, which knows of the scope's deadline by itself.

        Raises:
            Whatever `ProcessPool.submit` raises.
        """
        check_callable(fn)
        return self._pool._start(fn, args, kwargs, TaskOptions(scope=scope))

    def help(self, tasks: Callable[[], Iterable[Any]]) -> bool:
        """Workers are never out of reach for those who wait for them."""
        return False
