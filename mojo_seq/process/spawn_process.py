"""spawn_process: a function in a fresh interpreter, with a pipe to it."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from mojo_seq import _core
from mojo_seq.process.child_process import ChildProcess

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mojo_seq.process.bad_message_report import BadMessageReport


def spawn_process(
    target: Callable[..., Any],
    *args: Any,
    name: str | None = None,
    on_error: Callable[[BadMessageReport], object] | None = None,
) -> ChildProcess:
    """Runs `target(pipe, *args)` in a fresh interpreter, where `pipe` leads to `ChildProcess.pipe`.

    Target and args are pickled. Handles may be in them, at any depth, each once: they move to the
    new process when it has been started and stay here, valid, if this raises. What is defined in
    the main module can be used if that can be imported, so a script starts processes in a function
    or below `if __name__ == "__main__":`.

    The process inherits the working directory, the environment, stdout and stderr, and no other
    descriptor; stdin is empty. Its log goes to the loggers of the same names here, with the levels
    that they had here at the start; unhandled exceptions, also of its threads, are logged as
    errors. Its soft limit of descriptors is the one that this process had at first. It ends when
    this process ends.

    Args:
        target: a function, or anything else that can be called and pickled.
        *args: for the target, after the pipe.
        name: for log records and errors; None: the target's.
        on_error: called with a BadMessageReport, on the calling thread, when `Message.notify_bad`
            is called here for a message from that process.

    Raises:
        TypeError, AttributeError, pickle.PicklingError: target or args cannot be pickled, or not
            be imported by another interpreter; a note tells which.
        BusyError: a handle is listed twice or in two-phase I/O.
        InvalidArgumentError: a handle is closed, sent or a Watcher.
        FailedPreconditionError: a handle has unread objects that cannot be serialized.
        ResourceExhaustedError: no descriptors, memory or processes left.
        AbortedError: the interpreter ended before it had begun.
        RuntimeError: the main module is just being imported for another process.
    """
    if not callable(target):
        raise TypeError(f"target must be callable, not {type(target).__name__}")
    if not (name is None or isinstance(name, str)):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if not (on_error is None or callable(on_error)):
        raise TypeError(f"on_error must be callable, not {type(on_error).__name__}")
    return start_child(target, args, name=name, on_error=on_error)


def start_child(
    target: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    name: str | None = None,
    on_error: Callable[[BadMessageReport], object] | None = None,
    stderr: int | None = None,
    environment: dict[str, str] | None = None,
) -> ChildProcess:
    """`spawn_process` for those who want the process's standard error, or another environment.

    Args:
        stderr: the descriptor that becomes it; stays the caller's. None: it is inherited.
        environment: variables that are set before the main module is imported, and whatever that
            imports.
    """
    from mojo_seq.process import child_log, main_module, spawn_arguments

    main_module.check_not_importing()
    if name is None:
        name = str(getattr(target, "__name__", type(target).__name__))
    preparation = {
        "name": name,
        "argv": sys.argv,
        "levels": child_log.levels_here(),
        "environment": environment or {},
    }
    payload, handles = spawn_arguments.pack(preparation, target, args)
    near, far = _core.create_message_pipe()
    try:
        return _start(payload, [far, *handles], near, name, on_error, stderr)
    except BaseException:
        near.close()
        far.close()
        raise


def _start(
    payload: bytes,
    handles: list[_core.Handle],
    pipe: _core.MessagePipeHandle,
    name: str,
    on_error: Callable[[BadMessageReport], object] | None,
    stderr: int | None,
) -> ChildProcess:
    from mojo_seq.process import stream_sockets
    from mojo_seq.process.child_supervisor import supervisor
    from mojo_seq.process.log_reader import LogReader
    from mojo_seq.process.started_process import StartedProcess

    with ExitStack() as undo:
        ours, theirs = stream_sockets.make_pair()
        try:
            process = StartedProcess(theirs, on_error, stderr)
            undo.callback(process.discard)
            control = _core.adopt_socket(ours)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        reader = LogReader(control, f"process {name!r} (pid {process.pid})")
        undo.callback(control.close)
        supervisor.add(reader)
        undo.callback(supervisor.remove, reader)
        try:
            control.write(payload, handles)
        except _core.PeerClosedError as error:
            raise _core.AbortedError("the interpreter ended before it had begun") from error
        undo.pop_all()
    return ChildProcess(process, pipe, reader, name)
