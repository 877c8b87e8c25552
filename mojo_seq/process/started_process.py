"""StartedProcess: a child of this process, until it has ended and was reaped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from mojo_seq import _core
from mojo_seq.process.bad_message_callbacks import callbacks
from mojo_seq.process.bad_message_report import BadMessageReport
from mojo_seq.process.deadline import Deadline
from mojo_seq.process.lifeline import Lifeline
from mojo_seq.process.system_error import system_error

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

_COMMAND = """\
import sys
sys.path[:] = {path!a}
from mojo_seq.process.spawned_child import main
main({control}, {lifeline}, {limit}, {blocked})
"""


class StartedProcess:
    """Starts an interpreter that runs `spawned_child.main`.

    Args:
        control_fd: the child's end of the control pipe's socket; stays the caller's.
        on_error: told of bad messages that come from it, as long as it lives.
        stderr: the descriptor that becomes its standard error; stays the caller's. None: ours.

    Raises:
        ResourceExhaustedError, PermissionDeniedError, NotFoundError: as the system says.
    """

    def __init__(
        self,
        control_fd: int,
        on_error: Callable[[BadMessageReport], object] | None,
        stderr: int | None = None,
    ) -> None:
        self._lock = threading.RLock()  # nobody reaps the process while somebody uses its pid
        self._exitcode: int | None = None  # _lock
        self._lifeline = Lifeline()
        self._on_error = on_error
        try:
            self.pid = _start(control_fd, self._lifeline.child_fd, stderr)
        except OSError as error:
            self._lifeline.close()
            raise system_error(error, f"{sys.executable!r} cannot be started") from error
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            self._lifeline.close_child_end()
        if on_error is not None:
            callbacks.add(self.pid, on_error)

    def poll(self) -> int | None:
        """The exit code, or None as long as it runs."""
        with self._lock:
            if self._exitcode is None:
                self._exitcode = _reap(self.pid)
            if self._exitcode is None:
                return None
        self._lifeline.close()
        if self._on_error is not None:
            callbacks.depart(self.pid, self._on_error)
        return self._exitcode

    def wait(self, deadline: Deadline) -> int | None:
        """Waits for its end; None: it still runs at the deadline."""
        while True:
            with self._lock:
                code = self.poll()
                if code is not None or deadline.passed():
                    return code
                try:
                    pidfd = os.pidfd_open(self.pid)
                except ProcessLookupError:
                    continue  # reaped behind our back: poll() will know
                except OSError as error:
                    raise system_error(error, f"process {self.pid} cannot be waited for") from error
            try:
                deadline.wait_readable(pidfd)
            finally:
                os.close(pidfd)

    def send_signal(self, number: int) -> None:
        """Nothing happens if it has ended."""
        with self._lock:
            if self.poll() is None:
                os.kill(self.pid, number)

    def discard(self) -> None:
        """Ends it at once: it never was of use."""
        self.send_signal(signal.SIGKILL)
        self.wait(Deadline(None))


def _reap(pid: int) -> int | None:
    try:
        reaped, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0  # somebody else has reaped it: as subprocess says then
    return os.waitstatus_to_exitcode(status) if reaped else None


def _start(control_fd: int, lifeline_fd: int, stderr: int | None) -> int:
    """Starts the process and returns its number."""
    if not sys.executable:
        raise _core.FailedPreconditionError("sys.executable does not say what to start")
    # Ctrl-C is for the child to hear of when it can tell its end from an error.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        command = _COMMAND.format(
            # The directory that '' means is not said to be the same for ever.
            path=[each or os.getcwd() for each in sys.path if isinstance(each, str)],
            control=control_fd,
            lifeline=lifeline_fd,
            limit=_core.initial_descriptor_limit(),
            blocked=signal.SIGINT in before,
        )
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        popen = subprocess.Popen(
            [sys.executable, *flags, "-c", command],
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=(control_fd, lifeline_fd),
        )
        popen.returncode = 0  # it was needed for the start, and is to care for nothing else
        return popen.pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
