"""A demo with worker processes that a test can interfere with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

PATIENCE = 30.0  # seconds, of waiting for what is sure to happen
PAUSE = 0.005


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(PAUSE)


class WorkerUnderWay:
    """One worker process."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.pid: int = process.pid

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: self.process.status() == psutil.STATUS_STOPPED)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def has_stream(self) -> bool:
        """Whether it has taken its data pipe out of the first message."""
        return "memfd:mojo_seq" in Path(f"/proc/{self.pid}/maps").read_text()

    def wait_for_work(self, seconds: float) -> None:
        """Until it has computed for so long since it has its stream."""
        until(self.has_stream)
        before = self.used()
        until(lambda: self.used() >= before + seconds)

    def used(self) -> float:
        """Seconds of the processor."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def is_alive(self) -> bool:
        return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)


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
        )
        try:
            self.process = psutil.Process(self.popen.pid)
            until(lambda: len(self.process.children()) == processes)
            children = sorted(self.process.children(), key=lambda child: child.create_time())
        except BaseException:
            self.kill()
            raise
        self.workers = [WorkerUnderWay(child) for child in children]

    def interrupt(self) -> None:
        """As a terminal does on Ctrl-C: the whole group gets the signal."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.communicate()

    def wait_until_idle(self) -> None:
        """Until nobody, the demo included, has used the processor for a while."""

        def used() -> float:
            times = self.process.cpu_times()
            workers = [worker.used() for worker in self.workers if worker.is_alive()]
            return float(times.user + times.system + sum(workers))

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
            until(lambda worker=worker: not worker.is_alive())  # type: ignore[misc]
