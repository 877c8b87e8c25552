"""PoolOptions: a process pool, seen with options for its tasks."""

from __future__ import annotations

from mojo_seq.pool.task_options import USUAL, TaskOptions
from mojo_seq.pool.task_starter import TaskStarter

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.pool.open_streams import OpenStreams
    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.process_pool import ProcessPool


class PoolOptions(TaskStarter):
    """What `ProcessPool.with_options` returns: the same pool and the same methods; what is started
    by them has the options. Any thread."""

    def __init__(self, pool: ProcessPool, timeout: float | None, retries: int) -> None:
        self._pool = pool
        self._timeout = timeout
        self._retries = retries
        self._options = TaskOptions(timeout, retries)

    @property
    def max_workers(self) -> int:
        """How many workers there are at most."""
        return self._pool.max_workers

    @property
    def _streams(self) -> OpenStreams:
        return self._pool._streams

    def _start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskOptions = USUAL,
        /,
    ) -> PoolFuture[Any]:
        if options is USUAL:
            options = self._options
        else:
            options = TaskOptions(
                self._timeout if options.timeout is None else options.timeout,
                options.retries or self._retries,
                options.scope,
                options.on_item,
            )
        return self._pool._start(fn, args, kwargs, options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shuts the pool down."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def __repr__(self) -> str:
        return f"<{self._pool!r} with timeout={self._timeout} retries={self._retries}>"
