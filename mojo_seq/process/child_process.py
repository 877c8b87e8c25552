"""ChildProcess: a process that spawn_process started."""

from __future__ import annotations

import os
import signal
from warnings import warn

from mojo_seq import _core
from mojo_seq.process.deadline import Deadline

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Self

    from mojo_seq.process.log_reader import LogReader
    from mojo_seq.process.started_process import StartedProcess

_GRACE_PERIOD = 5.0
_TERMINATION_PERIOD = 2.0
_LAST_MOMENTS = 1.0  # of a process that has ended its log, which is the last thing it does


class ChildProcess:
    """A started process, and the pipe to it; made by `spawn_process`. Any thread.

    The process ends when its target returns, and when this process ends, however it ends. Leaving
    a `with` block closes the pipe, waits 5 s for the process, terminates it, waits 2 s, kills it.
    An object that is garbage-collected before the process's end was waited for emits
    ResourceWarning, as subprocess.Popen does; the process goes on. In a forked child of this
    process the object is dead.
    """

    def __init__(
        self,
        process: StartedProcess,
        pipe: _core.MessagePipeHandle,
        reader: LogReader,
        name: str,
    ) -> None:
        self._process = process
        self._pipe = pipe
        self._reader = reader
        self._name = name
        self._exitcode: int | None = None
        self._owner = os.getpid()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def name(self) -> str:
        """What log records and errors call it."""
        return self._name

    @property
    def pipe(self) -> _core.MessagePipeHandle:
        """The pipe whose other end is the target's first argument."""
        return self._pipe

    @property
    def exitcode(self) -> int | None:
        """None as long as the process runs, else as `wait` returns it. Does not wait."""
        if self._exitcode is None:
            self._check()
            self._exitcode = self._process.poll()
        return self._exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the process's end.

        What it has logged until then, its last exception included, has been given to the loggers
        here when this returns.

        Args:
            timeout: seconds; None: no limit; zero or less: only looks.

        Returns:
            The exit code: 0 if the target returned, what it gave to sys.exit(), 1 after an
            exception; negative: the number of the signal that ended the process.

        Raises:
            DeadlineExceededError: it has not ended in time, or its log was not handled in time.
            FailedPreconditionError: this is a forked child of the process that started it.
        """
        from mojo_seq.process.child_supervisor import supervisor

        self._check()
        deadline = Deadline(timeout)
        code = self._process.wait(deadline)
        if code is None:
            raise _core.DeadlineExceededError(f"{self!r} has not ended in time")
        if not self._reader.finish(deadline.remaining()):
            raise _core.DeadlineExceededError(f"the log of {self!r} was not handled in time")
        supervisor.remove(self._reader)
        self._exitcode = code
        return code

    def terminate(self) -> None:
        """Sends SIGTERM; nothing happens if the process has ended."""
        self._check()
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL; nothing happens if the process has ended."""
        self._check()
        self._process.send_signal(signal.SIGKILL)

    def _check(self) -> None:
        if self._owner != os.getpid():
            raise _core.FailedPreconditionError(
                f"process {self.pid} is not this one's child: it was started before the fork"
            )

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pipe.close()
        if self._owner != os.getpid():
            return
        try:
            for end, period in (
                (self.terminate, _GRACE_PERIOD),
                (self.kill, _TERMINATION_PERIOD),
            ):
                if self._process.wait(Deadline(period)) is not None:
                    break
                end()
        except BaseException:
            self.kill()  # nobody wants to wait any longer
            raise
        finally:
            self.wait()

    def __del__(self) -> None:
        if getattr(self, "_exitcode", 0) is not None or self._owner != os.getpid():
            return
        warn(f"{self!r} was not waited for", ResourceWarning, stacklevel=2, source=self)
        if self._process.poll() is None:
            from mojo_seq.process.child_supervisor import supervisor

            if not supervisor.abandon(self._reader, self._process.poll):
                self._process.wait(Deadline(_LAST_MOMENTS))

    def __repr__(self) -> str:
        state = "running" if self._exitcode is None else f"ended with {self._exitcode}"
        return f"<ChildProcess {self._name!r} pid={self.pid} {state}>"
