"""SequencedTaskRunner: what every sequence can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import ParamSpec, TypeVar

    _P = ParamSpec("_P")
    _T = TypeVar("_T")


class SequencedTaskRunner(ABC):
    """Runs tasks one at a time, in the order of posting, never concurrently with itself.

    The tasks of a sequence may run on different threads, but each sees all that the ones before
    it did. Any thread may post. The library's runners are implemented by the core; a subclass
    of this class can adapt any other event loop.
    """

    if not TYPE_CHECKING:  # a checker would miss the attribute below, which every runner has
        __slots__ = ()

    exception_handler: Callable[[_core.TaskError], object] | None
    """Called on the sequence with a TaskError when a posted task raises; None: logging."""

    @abstractmethod
    def post_task(self, fn: Callable[..., object], /, *args: object) -> None:
        """Runs `fn(*args)` on this sequence, after what was posted before."""

    @abstractmethod
    def post_delayed_task(
        self, delay: float, fn: Callable[..., object], /, *args: object
    ) -> _core.TaskHandle:
        """Runs `fn(*args)` on this sequence, `delay` seconds from now at the earliest."""

    @abstractmethod
    def post_task_and_reply(self, task: Callable[[], _T], reply: Callable[[_T], object]) -> None:
        """Runs `task()` here, then `reply(result)` on the calling sequence."""

    @abstractmethod
    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Runs `fn(*args, **kwargs)` on this sequence and returns a future of its result."""

    @abstractmethod
    def runs_tasks_in_current_sequence(self) -> bool:
        """True in a task of this sequence."""

    @staticmethod
    def current() -> SequencedTaskRunner:
        """The task runner of the running task.

        Raises:
            RuntimeError: this thread is not running a task of a sequence.
        """
        runner: SequencedTaskRunner = _core.current_runner()  # type: ignore[assignment]
        return runner
