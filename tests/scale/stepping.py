"""How many instructions something takes, counted one by one.

A time says as much about the machine as about the code. A count of instructions is the same however
busy the machine is, and shows what grows with the number of things that there are.

A process that is to be counted calls `countable(call)`; the one that started it, `count`. Only the
thread that calls is counted.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

TRACE_ME, SINGLE_STEP, CONTINUE, SET_OPTIONS = 0, 9, 7, 0x4200
EXIT_KILL = 1 << 20  # a process that is counted dies with the one that counts

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, process: int, data: int = 0) -> None:
    if _libc.ptrace(request, process, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request})")


def become_countable() -> None:
    """In the process that is to be counted, before anything else here."""
    _ptrace(TRACE_ME, 0)
    signal.raise_signal(signal.SIGSTOP)


def countable(call: Callable[[], object]) -> None:
    """Calls it, to be counted."""
    signal.raise_signal(signal.SIGSTOP)
    call()
    signal.raise_signal(signal.SIGSTOP)


def begin(process: int) -> None:
    """In the process that started it: waits until it has become countable, and lets it go on."""
    _wait(process)
    _ptrace(SET_OPTIONS, process, EXIT_KILL)
    _ptrace(CONTINUE, process)


def count(process: int) -> int | None:
    """Instructions of the next call; None: the process has ended, and that was all."""
    if not _wait(process):
        return None
    steps = 0
    while True:
        _ptrace(SINGLE_STEP, process)
        status = os.waitpid(process, 0)[1]
        if not os.WIFSTOPPED(status):
            raise RuntimeError(f"it has ended in the middle: {status}")
        if os.WSTOPSIG(status) == signal.SIGSTOP:
            break
        steps += 1
    _ptrace(CONTINUE, process)
    return steps


def _wait(process: int) -> bool:
    """Until it stops. False: it has ended.

    Raises:
        RuntimeError: it has failed.
    """
    while True:
        status = os.waitpid(process, 0)[1]
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            if code != 0:
                raise RuntimeError(f"the counted process failed: {code}")
            return False
        if os.WSTOPSIG(status) == signal.SIGSTOP:
            return True
        _ptrace(CONTINUE, process, os.WSTOPSIG(status))
