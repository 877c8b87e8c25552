"""A pool without workers: its tasks are run when a test says so."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, cast

from mojo_seq.pool.chunk import CallEach
from mojo_seq.pool.open_streams import OpenStreams
from mojo_seq.pool.pool_future import PoolFuture
from mojo_seq.pool.result_streams import ResultStreams
from mojo_seq.pool.task_options import USUAL, TaskOptions


class ManualFuture(Future[Any]):
    """As a pool's."""

    asked_to_end = False

    def request_cancel(self) -> None:
        self.asked_to_end = True


class ManualTask(NamedTuple):
    future: ManualFuture
    call: Callable[[], Any]
    on_item: Callable[[Any], object] | None

    def begin(self) -> None:
        assert self.future.set_running_or_notify_cancel()

    def run(self) -> None:
        try:
            self.future.set_result(self.call())
        except Exception as error:
            self.future.set_exception(error)


class ManualPool(ResultStreams):
    """Has two workers, by its own account.

    Attributes:
        refusal: what starting a task raises.
        fast: how many tasks are run as soon as they are started: the first ones.
    """

    def __init__(self) -> None:
        self.fast = 0
        self.tasks: list[ManualTask] = []
        self.refusal: Exception | None = None
        self._open_streams = OpenStreams()

    @property
    def max_workers(self) -> int:
        return 2

    @property
    def _streams(self) -> OpenStreams:
        return self._open_streams

    def _start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskOptions = USUAL,
        /,
    ) -> PoolFuture[Any]:
        if self.refusal is not None:
            raise self.refusal

        def call() -> Any:
            result = fn(*args, **kwargs)
            # Exceptions in the results of chunks are made on the way.
            return pickle.loads(pickle.dumps(result)) if isinstance(fn, CallEach) else result

        task = ManualTask(ManualFuture(), call, options.on_item)
        self.tasks.append(task)
        if len(self.tasks) <= self.fast:
            task.run()
        return cast(PoolFuture[Any], task.future)

    def run(self, *numbers: int) -> None:
        """Runs some tasks."""
        for number in numbers:
            self.tasks[number].run()

    def run_all(self) -> None:
        """Runs those that were started and have not been run."""
        for task in self.tasks:
            if not task.future.done():
                task.run()
