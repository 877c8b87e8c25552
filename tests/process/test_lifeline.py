"""No process outlives the one that started it, however that ends (contract §10)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import spawn_targets

TIMEOUT = 30.0

PARENT = """
import ctypes, os, signal, spawn_targets, sys, threading
from mojo_seq import *

ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # if the test itself is killed: PR_SET_PDEATHSIG
signal.signal(signal.SIGINT, signal.default_int_handler)  # who started the tests may ignore it

folder, end = sys.argv[1:]
children = [
    spawn_process(spawn_targets.parent_of_busy_one, folder),
    spawn_process(spawn_targets.note_and_block, folder),
    spawn_process(spawn_targets.note_and_stop_python, folder),
    spawn_process(spawn_targets.ignore_everything_and_note, folder),
]
for child in children:
    wait(child.pipe, Signals.READABLE)
print("ready", flush=True)
if end == "exit at once":
    os._exit(0)
if end == "crash":
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)
threading.Event().wait()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where each process leaves its number; all are ended in any case."""
    yield tmp_path
    for file in tmp_path.iterdir():
        try:
            os.kill(int(file.name), signal.SIGKILL)
        except ProcessLookupError:
            continue


def start(folder: Path, end: str) -> subprocess.Popen[str]:
    helpers = str(Path(spawn_targets.__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PARENT, folder, end],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": helpers},
    )


def until_all_are_gone(folder: Path, count: int) -> None:
    pids = [int(each.name) for each in folder.iterdir()]
    assert len(pids) == count
    pause = threading.Event()
    for _ in range(int(TIMEOUT / 0.005)):
        if all(map(spawn_targets.is_dead, pids)):
            return
        pause.wait(0.005)
    raise AssertionError(f"alive: {[pid for pid in pids if not spawn_targets.is_dead(pid)]}")


SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}


@pytest.mark.parametrize("end", [*SIGNALS, "exit at once", "crash"])
def test_children_and_grandchildren_die_with_their_parent(folder: Path, end: str) -> None:
    """Blocked, busy in Python, holding the interpreter's lock or ignoring signals."""
    with start(folder, end) as parent:
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "ready\n"
            if end in SIGNALS:
                parent.send_signal(SIGNALS[end])
            parent.wait(TIMEOUT)
        finally:
            parent.kill()
    until_all_are_gone(folder, 5)


def test_a_parent_that_dies_while_a_child_starts(folder: Path) -> None:
    """The child finds its lifeline cut when it first looks."""
    code = """
import os, spawn_targets, sys, warnings
from mojo_seq import *
child = spawn_process(spawn_targets.ignore_everything_and_note, sys.argv[1])
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    helpers = str(Path(spawn_targets.__file__).parent)
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code, folder],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": helpers},
        )
        pause = threading.Event()
        for _ in range(int(TIMEOUT / 0.005)):
            if spawn_targets.is_dead(int(done.stdout)):
                break
            pause.wait(0.005)
        assert spawn_targets.is_dead(int(done.stdout))
        assert done.stderr == ""


def test_the_thread_that_started_it_may_end() -> None:
    """Some ways of dying with one's parent mean the parent's thread."""
    code = """
import spawn_targets, threading
from mojo_seq import *
started = []
thread = threading.Thread(target=lambda: started.append(spawn_process(spawn_targets.echo)))
thread.start()
thread.join()
with started[0] as child:
    for _ in range(100):
        child.pipe.write(b"still there")
        wait(child.pipe, Signals.READABLE)
        assert bytes(child.pipe.read()) == b"still there"
print(child.exitcode)
"""
    helpers = str(Path(spawn_targets.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": helpers},
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
