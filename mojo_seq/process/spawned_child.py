"""What runs in a process that spawn_process started, before and around the target."""

from __future__ import annotations

import atexit
import fcntl
import os
import resource
import signal
import sys
from contextlib import suppress

from mojo_seq import _core
from mojo_seq.process import child_log, main_module
from mojo_seq.process.spawn_arguments import Arguments

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import NoReturn

_HIGH = 1024  # where the core puts them, as its engine has it


def main(control_fd: int, lifeline_fd: int, descriptor_limit: int, block_interrupts: bool) -> None:
    """Called by the command line that spawn_process makes.

    Returning, or what this raises, ends the interpreter in Python's own way: with exit code 0,
    by SystemExit, or by KeyboardInterrupt without a traceback.

    Args:
        control_fd: the socket over which the parent says what to do, and takes the log.
        lifeline_fd: hangs up when the parent is gone.
        descriptor_limit: the soft limit that the parent had at first.
        block_interrupts: the parent had SIGINT blocked, besides for the start of this process.
    """
    for fd in (control_fd, lifeline_fd):
        os.set_inheritable(fd, False)
    _make_room_for_descriptors(control_fd)
    _core.watch_lifeline(lifeline_fd)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(descriptor_limit, hard), hard))
    try:
        if not block_interrupts:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _run(_core.adopt_socket(control_fd))
    except KeyboardInterrupt:
        sys.excepthook = lambda *exc_info: None
        raise


def _make_room_for_descriptors(fd: int) -> None:
    """The core puts its own above all others. The kernel's table for them grows at once as long as
    there is one thread, but later on it takes the kernel many milliseconds."""
    with suppress(OSError):  # there may be no room: the core knows what to do then
        os.close(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH))


def _run(control: _core.MessagePipeHandle) -> None:
    # The first to be registered is the last to be called: until then the log goes to the parent.
    atexit.register(control.close)
    payload, handles = _receive(control)
    arguments = Arguments(payload, handles[1:])
    preparation = arguments.preparation
    name = preparation["name"]
    _core.set_memory_budget(preparation["memory_budget"])
    log = child_log.install(control, name, preparation["levels"])
    pipe = handles[0]
    atexit.register(pipe.close)
    try:
        sys.argv[:] = preparation["argv"]
        os.environ.update(preparation["environment"])
        main_module.import_again(preparation["main"])
        target, args = arguments.load()
        target(pipe, *args)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        # Without the frame above the target's.
        traceback = error.__traceback__ and error.__traceback__.tb_next
        log.report(
            f"process {name!r} (pid {os.getpid()}) ended by an exception",
            (type(error), error, traceback),
        )
        sys.exit(1)


def _receive(control: _core.MessagePipeHandle) -> tuple[bytes, list[_core.Handle]]:
    _core.wait(control, _core.Signals.READABLE)
    try:
        with control.read() as message:
            return bytes(message), message.take_handles()
    except _core.PeerClosedError:
        _give_up()


def _give_up() -> NoReturn:
    """The parent could not send what this process was for, and has told its caller so."""
    sys.exit(1)
