"""Starts a child process with a message pipe to it."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from mojo_seq import MessagePipeHandle, _core

HERE = Path(__file__).parents[1]
MAIN = "import sys; from puppets.start import main; main(*sys.argv[1:])"


class Process:
    def __init__(self, child: subprocess.Popen[str], pipe: MessagePipeHandle) -> None:
        self._child = child
        self.pipe = pipe
        self.pid = child.pid

    def wait(self, timeout: float | None = None) -> int:
        return self._child.wait(timeout)

    def kill(self) -> None:
        self._child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.pipe.close()
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()


def start(target: str, *options: str) -> Process:
    """Starts a fresh interpreter that calls "module:function" with its end of a pipe."""
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            [sys.executable, "-W", "error", *options, "-c", MAIN, str(theirs.fileno()), target],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": str(HERE)},
            text=True,
        )
    return Process(child, _core.adopt_socket(ours.detach()))


def main(fd: str, target: str) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    module, function = target.split(":")
    pipe = _core.adopt_socket(int(fd))
    getattr(importlib.import_module(module), function)(pipe)
