"""ChildProcess: ending a process, dropping it, forking beside it (contract §10)."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import spawn_targets

from mojo_seq import (
    ChildProcess,
    FailedPreconditionError,
    MessagePipeHandle,
    create_message_pipe,
    spawn_process,
)
from mojo_seq.process import child_process, child_supervisor, lifeline
from mojo_seq.process.log_reader import LogReader

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]
RunChild = Callable[..., int]


def is_gone(pid: int) -> bool:
    """No process, and no zombie."""
    return not os.path.exists(f"/proc/{pid}")


# --- ending it ---


def test_terminating_and_killing(read: Read) -> None:
    for end, code in ((ChildProcess.terminate, -signal.SIGTERM), (ChildProcess.kill, -9)):
        with spawn_process(spawn_targets.until_closed) as child:
            read(child.pipe)
            end(child)
            assert child.wait(TIMEOUT) == code
            end(child)  # it has ended
            assert is_gone(child.pid)


def test_leaving_the_block_closes_the_pipe_and_waits(read: Read) -> None:
    with spawn_process(spawn_targets.until_closed) as child:
        read(child.pipe)
    assert not child.pipe.is_valid
    assert child.exitcode == 0
    assert is_gone(child.pid)


@pytest.mark.parametrize(
    ("target", "code"),
    [(spawn_targets.ignore_the_pipe, -signal.SIGTERM), (spawn_targets.ignore_everything, -9)],
)
def test_leaving_the_block_ends_what_does_not_end(
    read: Read, monkeypatch: pytest.MonkeyPatch, target: Callable[..., object], code: int
) -> None:
    monkeypatch.setattr(child_process, "_GRACE_PERIOD", 0.05)
    monkeypatch.setattr(child_process, "_TERMINATION_PERIOD", 0.05)
    with spawn_process(target) as child:
        read(child.pipe)
    assert child.exitcode == code
    assert is_gone(child.pid)


def test_the_periods_are_those_of_the_contract() -> None:
    assert child_process._GRACE_PERIOD == 5.0


def test_leaving_by_an_exception_is_the_same(read: Read) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        spawn_process(spawn_targets.until_closed) as child,
    ):
        read(child.pipe)
        raise ZeroDivisionError
    assert child.exitcode == 0


def test_ctrl_c_while_the_block_is_left_kills_it(tmp_path: Path) -> None:
    code = """
import os, signal, spawn_targets, threading
from mojo_seq import *
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with spawn_process(spawn_targets.ignore_everything) as child:
        wait(child.pipe, Signals.READABLE)
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()
except KeyboardInterrupt:
    print(child.exitcode, os.path.exists(f"/proc/{child.pid}"))
"""
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("-9 False\n", "")


def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    code = """
import os, signal, spawn_targets, threading
from mojo_seq import *
signal.signal(signal.SIGINT, signal.default_int_handler)
with spawn_process(spawn_targets.until_closed) as child:
    wait(child.pipe, Signals.READABLE)
    timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
    try:
        timer.start()
        child.wait()
    except KeyboardInterrupt:
        print("interrupted", child.exitcode)
    timer.join()
print(child.exitcode)
"""
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("interrupted None\n0\n", "")


def run_python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    helpers = str(Path(spawn_targets.__file__).parent)
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": helpers},
        timeout=TIMEOUT,
    )


@pytest.mark.parametrize("when", ["at its start", "in its target"])
def test_ctrl_c_of_the_terminal_ends_all_quietly(when: str) -> None:
    """The signal goes to the whole foreground group, the children included."""
    code = """
import os, signal, spawn_targets, sys
from mojo_seq import *
signal.signal(signal.SIGINT, signal.default_int_handler)
child = spawn_process(spawn_targets.until_closed)
try:
    with child:
        if sys.argv[1] == "in its target":
            wait(child.pipe, Signals.READABLE)
        os.killpg(0, signal.SIGINT)
        wait(child.pipe, Signals.NONE | Signals.PEER_CLOSED)
except KeyboardInterrupt:
    print(child.exitcode)
"""
    helpers = str(Path(spawn_targets.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, when],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": helpers},
        timeout=TIMEOUT,
        start_new_session=True,
    )
    assert (done.stdout, done.stderr) == ("-2\n", "")


# --- dropping it ---


def test_one_that_was_not_waited_for_warns_and_leaves_no_zombie(read: Read) -> None:
    child = spawn_process(spawn_targets.until_closed, name="dropped")
    pid, pipe = child.pid, child.pipe
    read(pipe)
    with pytest.warns(ResourceWarning, match=f"'dropped' pid={pid} running> was not waited for"):
        del child
        gc.collect()
    os.kill(pid, 0)  # it goes on
    pipe.close()
    pause = threading.Event()
    while not is_gone(pid) or lifeline._open:
        pause.wait(0.005)
    while any(each.name == "mojo_seq-children" for each in threading.enumerate()):
        pause.wait(0.005)


def test_one_that_had_ended_when_it_was_dropped() -> None:
    child = spawn_process(spawn_targets.nothing)
    pid = child.pid
    child.pipe.close()
    pause = threading.Event()
    while any(each.name == "mojo_seq-children" for each in threading.enumerate()):
        pause.wait(0.005)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pause.wait(0.005)
    with pytest.warns(ResourceWarning, match="was not waited for"):
        del child
        gc.collect()
    assert is_gone(pid)
    assert not lifeline._open


def test_a_process_that_ends_leaves_none_behind_at_exit() -> None:
    code = """
import spawn_targets, warnings
from mojo_seq import *
warnings.simplefilter("ignore", ResourceWarning)
children = [spawn_process(spawn_targets.until_closed) for _ in range(3)]
for child in children:
    wait(child.pipe, Signals.READABLE)
print(*[child.pid for child in children])
"""
    done = run_python(code)
    assert done.stderr == ""
    pause = threading.Event()
    for pid in done.stdout.split():
        while not spawn_targets.is_dead(int(pid)):
            pause.wait(0.005)


# --- after a fork ---


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_no_children(read: Read) -> None:
    with spawn_process(spawn_targets.until_closed) as child:
        read(child.pipe)
        pid = os.fork()
        if pid == 0:
            refused = 0
            uses: list[Callable[[], object]] = [
                child.wait,
                child.terminate,
                child.kill,
                lambda: child.exitcode,
            ]
            for use in uses:
                try:
                    use()
                except FailedPreconditionError as error:
                    refused += "fork" in str(error)
            child.__exit__()
            ChildProcess.__del__(child)
            os._exit(refused)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
        assert child.exitcode is None
        child.pipe.close()
        assert child.wait(TIMEOUT) == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_have_its_own(read: Read) -> None:
    with spawn_process(spawn_targets.until_closed) as child:
        read(child.pipe)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with spawn_process(spawn_targets.exit_with, 5) as own:
                    code = own.wait(TIMEOUT)
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5


def test_a_forked_child_does_not_keep_ours_alive(read: Read, tmp_path: Path) -> None:
    """The lifeline is ours alone, though a fork copies every descriptor."""
    code = """
import os, spawn_targets, sys, time, warnings
from mojo_seq import *
warnings.simplefilter("ignore", ResourceWarning)
child = spawn_process(spawn_targets.ignore_everything)
wait(child.pipe, Signals.READABLE)
forked = os.fork()
if forked == 0:
    os.close(1), os.close(2)
    time.sleep(60)
    os._exit(0)
print(child.pid, forked, flush=True)
os.kill(os.getpid(), 9)
"""
    done = run_python(code)
    child, forked = map(int, done.stdout.split())
    pause = threading.Event()
    try:
        while not spawn_targets.is_dead(child):
            pause.wait(0.005)
        assert not spawn_targets.is_dead(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_one_that_is_dropped_when_its_log_has_just_ended_is_somebody_s() -> None:
    """Either the thread takes it over or the finalizer is told that it has to do without."""
    supervisor = child_supervisor.ChildSupervisor()
    near, far = create_message_pipe()
    reader = LogReader(far, "a process")
    reaped = threading.Event()

    def reap() -> int:
        reaped.set()
        return 0

    with near:
        supervisor.add(reader)
        assert supervisor.abandon(reader, reap)
        near.close()
        assert reaped.wait(TIMEOUT)
        pause = threading.Event()
        while any(each.name == "mojo_seq-children" for each in threading.enumerate()):
            pause.wait(0.005)
        assert not supervisor.abandon(reader, reap)
        assert not supervisor._abandoned
