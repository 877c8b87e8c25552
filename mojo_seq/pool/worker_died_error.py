"""WorkerDiedError: what a task's future gets when the task's worker has died."""

from __future__ import annotations

import signal as signals

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any


class WorkerDiedError(_core.MojoError):
    """ABORTED: the worker process died while it ran the task.

    It may have been the task's fault or not: a segmentation fault, os._exit(), the kernel that was
    out of memory, somebody's kill. Tasks that had not begun are not concerned: another worker has
    them.

    Attributes:
        pid: the process's number; None if it could not even be started.
        exitcode: as ChildProcess has it: negative, the signal; None if it is not known.
        signal: the number of the signal that has ended it, or None.
        task: what it ran: the function, and the short ones of its arguments.
        stderr: the last lines that the process wrote to its standard error.
    """

    __module__ = "mojo_seq"
    result = _core.Result.ABORTED

    def __init__(
        self,
        pid: int | None = None,
        exitcode: int | None = None,
        task: str = "",
        stderr: str = "",
    ) -> None:
        super().__init__(pid, exitcode, task, stderr)
        self.pid = pid
        self.exitcode = exitcode
        self.signal = -exitcode if exitcode is not None and exitcode < 0 else None
        self.task = task
        self.stderr = stderr

    def __str__(self) -> str:
        text = f"worker process {self.pid} {how_it_ended(self.exitcode)}, running {self.task}"
        if self.stderr:
            lines = "\n".join(f"  {line}" for line in self.stderr.splitlines())
            text += f"\nThe last that it wrote to its standard error:\n{lines}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args


def how_it_ended(exitcode: int | None) -> str:
    """In words."""
    if exitcode is None:
        return "died"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        return f"was killed by {signals.Signals(-exitcode).name}"
    except ValueError:
        return f"was killed by signal {-exitcode}"
