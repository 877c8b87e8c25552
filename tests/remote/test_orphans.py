"""Children end when their parent ends, however it ends and whatever they do (contract §10)."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from puppets import TIMEOUT
from puppets.orphans import WAYS

DEADLINE = 2.0  # of the contract: none is alive after that
PAUSE = 0.005  # seconds are counted in these, which take longer where all else does


class Program:
    """Runs puppets.orphans. What is left of it in the end is killed."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "puppets.orphans", *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._descendants = dict[int, int]()  # the number of a process: a descriptor for it

    def line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def pids(self) -> list[int]:
        """The processes of the next line, which are from now on known to be these."""
        found = [int(word) for word in self.line().split()]
        for pid in found:
            self._descendants[pid] = os.pidfd_open(pid)
        return found

    def go_on(self) -> None:
        """Now that their numbers are noted."""
        assert self._process.stdin
        self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def wait(self) -> None:
        self._process.wait(TIMEOUT)

    def alive(self, seconds: float = 0.0) -> list[int]:
        """Those that have not ended after that. (One that has may still be a zombie.)"""
        for _ in range(round(seconds / PAUSE)):
            if not self._not_ended():
                break
            time.sleep(PAUSE)
        return self._not_ended()

    def _not_ended(self) -> list[int]:
        ended = select.select(self._descendants.values(), [], [], 0)[0]
        return [pid for pid, fd in self._descendants.items() if fd not in ended]

    def close(self) -> None:
        self.kill()
        for fd in self._descendants.values():
            try:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            except ProcessLookupError:
                continue  # as it should be
            finally:
                os.close(fd)
        for file in (self._process.stdin, self._process.stdout):
            assert file
            file.close()


@pytest.fixture
def run(nothing_left_between_processes: None) -> Iterator[Callable[..., Program]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Program:
            program = Program(*arguments)
            stack.callback(program.close)
            return program

        yield start


Run = Callable[..., Program]


@pytest.mark.parametrize("way", WAYS)
def test_kill_9(run: Run, way: str) -> None:
    """No child or grandchild is alive after 2 s, busy or blocked, in Python or in C."""
    program = run("have", way)
    assert len(program.pids()) == 2
    assert len(program.alive(0.1)) == 2
    program.kill()
    assert program.alive(DEADLINE) == []


def test_kill_9_of_a_program_with_many_children(run: Run) -> None:
    program = run("have", *WAYS)
    for _ in WAYS:
        assert len(program.pids()) == 2
    program.kill()
    assert program.alive(DEADLINE) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGINT, signal.SIGHUP])
def test_other_signals(run: Run, number: signal.Signals) -> None:
    """However the parent dies."""
    program = run("have", "compute", "sleep")
    for _ in range(2):
        program.pids()
    os.kill(program.pid, number)
    program.wait()
    assert program.alive(DEADLINE) == []


@pytest.mark.parametrize("way", ["end", "exec"])
def test_a_parent_that_leaves(run: Run, way: str) -> None:
    """It ends without a word, or becomes another program, in which nobody knows of them."""
    program = run(way, "compute", "hold_the_gil")
    for _ in range(2):
        assert len(program.pids()) == 2
    program.go_on()
    assert program.alive(TIMEOUT) == []


def test_the_thread_that_started_them_may_end(run: Run) -> None:
    """It is the process that counts."""
    program = run("in a thread", "sleep", "compute")
    for _ in range(2):
        program.pids()
    assert program.line() == "the thread has ended"
    assert len(program.alive(0.2)) == 4
    program.kill()
    assert program.alive(DEADLINE) == []


def test_a_forked_process_does_not_keep_them_alive(run: Run) -> None:
    """It has inherited the parent's descriptors, but is not their parent."""
    program = run("with a forked process", "sleep", "compute")
    for _ in range(2):
        program.pids()
    (forked,) = program.pids()
    program.kill()
    assert program.alive(DEADLINE) == [forked]


def test_a_child_in_the_middle(run: Run) -> None:
    """Grandchildren end with their parent; its own parent and others go on."""
    program = run("have", "sleep", "compute")
    (grandchild, child), others = program.pids(), program.pids()
    os.kill(child, signal.SIGKILL)
    gone = {grandchild, child}
    for _ in range(round(DEADLINE / PAUSE)):
        if not gone & set(program.alive()):
            break
        time.sleep(PAUSE)
    assert set(program.alive()) == set(others)
