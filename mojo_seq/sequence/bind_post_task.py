"""bind_post_task: a callback that runs on a sequence, whoever calls it."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.sequence.task_runner import SequencedTaskRunner

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    _P = ParamSpec("_P")


def bind_post_task(runner: SequencedTaskRunner, fn: Callable[_P, object]) -> Callable[_P, None]:
    """Makes a callable that posts `fn` with its arguments to `runner`, from any thread.

    Args:
        runner: where `fn` will run.
        fn: the task. Keyword arguments are passed on to it, too.

    Raises:
        TypeError: fn is not callable, or runner is no task runner.
    """
    if not isinstance(runner, SequencedTaskRunner):
        raise TypeError(f"runner must be a SequencedTaskRunner, not {type(runner).__name__}")
    if not callable(fn):
        raise TypeError(f"fn must be callable, not {type(fn).__name__}")
    return _core._BoundTask(runner.post_task, fn)
