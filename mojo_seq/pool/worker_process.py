"""WorkerProcess: the process of one worker."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from contextlib import suppress
from time import monotonic

from mojo_seq import _core
from mojo_seq.pool.service_host import serve
from mojo_seq.process.deadline import Deadline
from mojo_seq.process.spawn_process import start_child

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.pool.stderr_tee import StderrTail, StderrTee
    from mojo_seq.process.child_process import ChildProcess
    from mojo_seq.process.spawn_arguments import Packed

_SERVICE_FIRST = 0.01  # by how much a service's pipe may be seen closed before the control pipe
_LAST_MOMENTS = 0.25  # of a process that has closed its control pipe


class WorkerProcess:
    """A process that runs services, from before its start until it was reaped.

    Made on any thread; started, ended and reaped on the fleet's.

    Args:
        name: for log records and errors.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.control, self._far = _core.create_message_pipe()
        self.exitcode: int | None = None
        self.was_called = False  # for certain: the fleet's thread is to start it
        self._started: float | None = None
        self._child: ChildProcess | None = None
        self._watcher: _core.SimpleWatcher | None = None
        self._lock = threading.Lock()
        self._lost = False  # _lock
        self._is_gone = False  # _lock
        self._failure: str | None = None  # _lock: what it said, or what kept it from being started
        self._said: list[bytes] = []  # _lock
        self._ended = threading.Event()
        self._when_gone: list[Callable[[], object]] = []  # _lock
        self._stderr: StderrTail | None = None
        self._reason: str | None = None

    # On any thread.

    @property
    def pid(self) -> int | None:
        """None before the start."""
        child = self._child
        return None if child is None else child.pid

    def is_lost(self) -> bool:
        """Whether it will run no service any more: it has closed its control pipe, or we have."""
        with self._lock:
            try:
                for message in self.control.read_batch():
                    with message:
                        self._said.append(bytes(message))
                    self._failure = str(self._said[0], "utf-8", "replace")
            except _core.MojoError:
                self._lost = True
            return self._lost

    def request(self, payload: bytes, handles: list[_core.Handle]) -> bool:
        """Sends it something to do; it need not have been started for that.

        Returns:
            False: it was lost, and the handles are still the caller's.

        Raises:
            Whatever the writing of a message raises.
        """
        try:
            self.control.write(payload, handles)
        except (_core.PeerClosedError, _core.InvalidArgumentError):
            if self.is_lost():
                return False
            raise
        return True

    @property
    def lifetime(self) -> float:
        """Seconds since its start. None that counts, if it was never ready to run a service."""
        with self._lock:
            if self._started is None or self._failure is not None:
                return 0.0
            return monotonic() - self._started

    def exit_reason(self) -> str | None:
        """None as long as it runs."""
        if not self.is_lost():
            with suppress(_core.InvalidArgumentError):  # it was closed meanwhile
                _core.wait(self.control, _core.Signals.PEER_CLOSED, _SERVICE_FIRST)
            if not self.is_lost():
                return None
        self._ended.wait(_LAST_MOMENTS)
        return self._reason or f"{self!r} is ending"

    def initializer_error(self) -> BaseException | None:
        """What its initializer raised, if that was its end."""
        if not self.is_lost() or len(self._said) < 2:
            return None
        try:
            error = pickle.loads(self._said[1])
        except Exception as another:
            error = another
        return error if isinstance(error, BaseException) else None

    def last_stderr(self) -> str:
        """The last lines of its standard error."""
        return "" if self._stderr is None else self._stderr.text()

    def call_when_gone(self, tell: Callable[[], object]) -> None:
        """Calls `tell` when it has ended and its exit code is known; at once if it has. On the
        fleet's thread, or this."""
        with self._lock:
            if not self._is_gone:
                self._when_gone.append(tell)
                return
        tell()

    def kill(self) -> None:
        """Nothing happens if it has ended, or was not started."""
        child = self._child
        if child is not None:
            child.kill()

    def __repr__(self) -> str:
        return self.name if self._child is None else f"{self.name} (pid {self._child.pid})"

    # On the fleet's.

    def start(
        self,
        setup: Packed | None,
        environment: dict[str, str],
        tee: StderrTee,
        on_lost: Callable[[WorkerProcess], object],
    ) -> None:
        """Starts it, and watches it in the current sequence; nothing happens the second time.

        Args:
            setup: the packed initializer.
            environment: variables for it.
            tee: takes its standard error.
            on_lost: called when it is lost: with it, as a task, once. Also if it cannot be started.
        """
        if self._started is not None:
            return
        self._started = monotonic()
        try:
            self._child = self._spawn(setup, environment, tee)
        except Exception as error:
            with self._lock:
                self._failure = f"it could not be started: {error}"
            self._far.close()
        else:
            self._child.pipe.close()

        def on_readable(result: _core.Result, state: _core.SignalsState) -> None:
            if self._watcher is not None and self.is_lost():
                self._watcher.close()
                self._watcher = None
                on_lost(self)

        self._watcher = _core.SimpleWatcher()
        self._watcher.watch(self.control, _core.Signals.READABLE, on_readable)

    def _spawn(
        self, setup: Packed | None, environment: dict[str, str], tee: StderrTee
    ) -> ChildProcess:
        self._stderr, fd = tee.add()
        try:
            return start_child(
                serve,
                (self._far, setup),
                name=self.name,
                stderr=fd,
                environment=environment,
            )
        finally:
            os.close(fd)

    def tell_to_end(self, reason: str) -> None:
        """It is not needed any more; nor are what it has not read yet, and what it says."""
        if self._reason is None and not self.is_lost():
            self._reason = f"{self!r} {reason}"
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self.control.close()
        if self._child is None:
            self._far.close()
            self._ended.set()
            self.note_gone()

    def wait(self, deadline: Deadline) -> bool:
        """Waits for its end. True once it has ended, was reaped, and its log was handled."""
        if self._child is not None:
            try:
                if self._child.exitcode is not None:
                    self._note_end()  # before its log is handled, which may take its time
                self._child.wait(deadline.remaining())
            except _core.DeadlineExceededError:
                return False
        self._note_end()
        return True

    def terminate(self) -> None:
        """The same as `kill`, politely."""
        if self._child is not None:
            self._child.terminate()

    def _note_end(self) -> None:
        if self._ended.is_set():
            return
        self.control.close()
        self.exitcode = None if self._child is None else self._child.exitcode
        if self._reason is None:
            self._reason = f"{self!r} {self._explain()}"
        if self._stderr is not None:
            self._stderr.drain()
        self._ended.set()
        self.note_gone()

    def note_gone(self) -> None:
        """It has ended, or nobody waits for that any longer."""
        with self._lock:
            self._is_gone = True
            tell, self._when_gone = self._when_gone, []
        for each in tell:
            each()

    def _explain(self) -> str:
        if self._failure is not None:
            return f"is gone: {self._failure}"
        code = self.exitcode
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
