"""Start: how iterators over results start the tasks that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.pool.pool_future import PoolFuture
    from mojo_seq.pool.task_options import TaskOptions


class Start(Protocol):
    """What a pool, and each view of it, has as `_start`."""

    def __call__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskOptions = ...,
        /,
    ) -> PoolFuture[Any]: ...
