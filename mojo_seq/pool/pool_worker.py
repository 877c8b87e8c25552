"""PoolWorker: a worker of a pool, as those see it who run services on it."""

from __future__ import annotations

from contextlib import suppress

from mojo_seq import _core
from mojo_seq.process import spawn_arguments

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.pool.worker_fleet import WorkerFleet
    from mojo_seq.pool.worker_process import WorkerProcess


class PoolWorker:
    """One process of a ProcessPool, from before its start to its end; the next has another object.

    Any thread.

    Attributes:
        load: how much runs on it: what `ProcessPool.choose_worker` compares. Whoever runs
            something on the worker counts it here; it is nothing but a number.
    """

    def __init__(self, fleet: WorkerFleet, not_before: float) -> None:
        self.load = 0
        self._fleet = fleet
        # For the fleet, which guards them with its lock.
        self.process: WorkerProcess | None = None  # from the first need on
        self.not_before = not_before  # time.monotonic()
        self.last_chosen = 0
        self.is_spent = False  # for the dispatcher: gets no more tasks

    def open_service(self, target: Callable[..., object], *args: Any) -> _core.MessagePipeHandle:
        """Runs `target(pipe, *args)` in the worker, on a thread of its own. Does not wait for it.

        The worker is started if it was not needed before. Target and args travel as those of
        `spawn_process` do, the handles in them included. An exception of the target, or of its
        unpickling, is logged here as an error.

        Returns:
            The other end of `pipe`. It can be written to at once. PEER_CLOSED: the target has
            returned, or the worker has ended; at once, if it had ended before: then the handles
            in args are closed.

        Raises:
            TypeError, AttributeError, pickle.PicklingError: target or args cannot be pickled, or
                not be imported by another interpreter; a note tells which.
            BusyError, InvalidArgumentError, FailedPreconditionError: a handle cannot be sent; all
                handles are still the caller's.
            ShutdownError: the pool was shut down, or belongs to the process that forked this one.
            ResourceExhaustedError: no thread to be had for the pool.
            RuntimeError: the main module is just being imported for another process.
        """
        if not callable(target):
            raise TypeError(f"target must be callable, not {type(target).__name__}")
        self._fleet.check_open()
        return self._open({}, target, args)

    def open_task_service(
        self, target: Callable[..., object], *args: Any
    ) -> _core.MessagePipeHandle:
        """For the pool itself: the same on the worker's main thread, one at a time. Works until the
        fleet is closed."""
        return self._open({"on_main": True}, target, args)

    def _open(
        self, preparation: dict[str, Any], target: Callable[..., object], args: tuple[Any, ...]
    ) -> _core.MessagePipeHandle:
        payload, handles = spawn_arguments.pack(preparation, target, args, caller="open_service")
        near, far = _core.create_message_pipe()
        try:
            process = self._fleet.need(self)
            if not process.request(payload, [far, *handles]):
                self._fleet.check_open()
                for each in (far, *handles):
                    each.close()
        except BaseException:
            near.close()
            far.close()
            raise
        return near

    @property
    def pid(self) -> int | None:
        """The process's number; None before it was started."""
        return None if self.process is None else self.process.pid

    @property
    def is_alive(self) -> bool:
        """False when it runs no service any more. One that was not started yet is alive."""
        if not self._fleet.is_open:
            return False
        return self.process is None or not self.process.is_lost()

    @property
    def exitcode(self) -> int | None:
        """The process's exit code (negative: the signal that has ended it), None as long as it
        runs, and if it was never started. See `exit_reason` on when it is known."""
        return None if self.process is None else self.process.exitcode

    def exit_reason(self) -> str | None:
        """Why it has ended: its number, and its exit code, its signal, or the initializer's error.

        Can be asked as soon as a service's pipe is seen closed: it waits up to 10 ms for the
        worker's end to be noticed and then a moment for its reason, which takes far less.

        Returns:
            None as long as it runs.
        """
        if self._fleet.is_inherited():
            return "the worker belongs to the process that fork()ed this one"
        if self.process is not None:
            return self.process.exit_reason()
        return None if self._fleet.is_open else "the pool was shut down before it was needed"

    def __repr__(self) -> str:
        name = "not started" if self.process is None else repr(self.process)
        with suppress(_core.MojoError):
            return f"<PoolWorker {name} load={self.load}{'' if self.is_alive else ' ended'}>"
        return "<PoolWorker>"
