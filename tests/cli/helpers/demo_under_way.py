"""A demo with worker processes, for tests that interfere with it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

PATIENCE = 30.0  # seconds, of waiting for what is sure to happen
PAUSE = 0.005


PR_SET_PDEATHSIG = 1
PRCTL = ctypes.CDLL(None).prctl


def die_with_the_test() -> None:
    """In the new process: whatever ends pytest ends it, too."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(PAUSE)


class Process:
    """A process that somebody else waits for, seen through /proc."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        self.kill(signal.SIGSTOP)
        until(lambda: self._stat()[0] == "T")

    def resume(self) -> None:
        self.kill(signal.SIGCONT)

    def is_alive(self) -> bool:
        return self._stat()[0] not in "XZ"

    def wait_for_end(self) -> None:
        until(lambda: not self.is_alive())

    def wait_until_missed(self) -> None:
        """Until it has ended, and its parent, having noticed, has asked how."""
        until(lambda: self._stat()[0] == "X")

    def used(self) -> float:
        """Seconds of the processor."""
        return (int(self._stat()[11]) + int(self._stat()[12])) / os.sysconf("SC_CLK_TCK")

    def children(self) -> list[int]:
        """Their pids."""
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        return [pid for pid in pids if Process(pid)._stat()[1] == str(self.pid)]

    def has_stream(self) -> bool:
        """Whether it has taken its data pipe out of the first message."""
        return "memfd:mojo_seq" in Path(f"/proc/{self.pid}/maps").read_text()

    def wait_for_work(self, seconds: float) -> None:
        """Until it has computed for so long since it has its stream."""
        until(self.has_stream)
        before = self.used()
        until(lambda: self.used() >= before + seconds)

    def _stat(self) -> list[str]:
        """The fields of /proc/PID/stat from the state on; "X" if it is gone."""
        try:
            text = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ["X"] + ["0"] * 50
        return text.rpartition(")")[2].split()


class Finished(NamedTuple):
    returncode: int
    stdout: str
    stderr: str

    @property
    def data(self) -> dict[str, Any]:
        assert self.returncode == 0, self.stderr
        data = json.loads(self.stdout)
        assert isinstance(data, dict)
        return data


class DemoUnderWay:
    """``python -m mojo_seq demo --processes N``, from the moment on at which all have started."""

    def __init__(self, processes: int, *arguments: str | Path) -> None:
        command = [sys.executable, "-W", "error", "-m", "mojo_seq", "demo"]
        command += ["--processes", str(processes), *map(str, arguments)]
        self.popen = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
            preexec_fn=die_with_the_test,
        )
        try:
            demo = Process(self.popen.pid)
            until(lambda: len(demo.children()) == processes)
            self.workers = [Process(pid) for pid in demo.children()]
        except BaseException:
            self.kill()
            raise

    def interrupt(self) -> None:
        """As a terminal does on Ctrl-C: the whole group gets the signal."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.communicate()

    def wait_until_idle(self) -> None:
        """Until nobody, the demo included, has used the processor for a while."""

        everybody = [Process(self.popen.pid), *self.workers]

        def used() -> float:
            return sum(each.used() for each in everybody if each.is_alive())

        def idle() -> bool:
            before = used()
            time.sleep(0.3)
            return used() == before

        until(idle)

    def finish(self) -> Finished:
        """Wait for the end."""
        stdout, stderr = self.popen.communicate(timeout=PATIENCE)
        assert "Traceback" not in stderr, stderr
        return Finished(self.popen.returncode, stdout, stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.returncode is None:
            self.kill()
        for worker in self.workers:
            worker.wait_for_end()
