"""ChildProcess: how a process ends, and how one waits for it (contract §10)."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import spawn_targets

from mojo_seq import (
    ChildProcess,
    DeadlineExceededError,
    FailedPreconditionError,
    MessagePipeHandle,
    spawn_process,
)
from mojo_seq.process import child_process, lifeline

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]
RunChild = Callable[..., int]


def is_gone(pid: int) -> bool:
    """No process, and no zombie."""
    return not os.path.exists(f"/proc/{pid}")


# --- exit codes, as subprocess gives them ---


def test_a_target_that_returns_gives_0(run_child: RunChild) -> None:
    assert run_child(spawn_targets.nothing) == 0


@pytest.mark.parametrize(
    ("given", "code"), [(0, 0), (3, 3), (255, 255), (256, 0), (-1, 255), (None, 0), (True, 1)]
)
def test_sys_exit_gives_what_it_was_given(run_child: RunChild, given: Any, code: int) -> None:
    assert run_child(spawn_targets.exit_with, given) == code


def test_sys_exit_with_a_text_prints_it(
    run_child: RunChild, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_child(spawn_targets.exit_with, "a text") == 1
    assert capfd.readouterr().err == "a text\n"


@pytest.mark.parametrize("error", [ValueError("x"), GeneratorExit(), BaseException()])
def test_an_exception_gives_1_and_prints_nothing(
    run_child: RunChild, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_child(spawn_targets.raise_error, error) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_gives_its_negative_number(run_child: RunChild, number: int) -> None:
    assert run_child(spawn_targets.die_of, number) == -number


def test_an_interrupt_is_an_end_as_any_program_s(
    run_child: RunChild,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run_child(spawn_targets.raise_error, KeyboardInterrupt()) == -signal.SIGINT
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_os_exit_is_an_end_without_goodbye(read: Read) -> None:
    with spawn_process(spawn_targets.exit_at_once, 7) as child:
        assert child.wait(TIMEOUT) == 7
        assert read(child.pipe) == b"last words"


def test_threads_are_waited_for(read: Read) -> None:
    with spawn_process(spawn_targets.leave_a_thread) as child:
        with pytest.raises(DeadlineExceededError):
            child.wait(0)
        child.pipe.write(b"go on")
        assert read(child.pipe) == b"from the thread"
        assert child.wait(TIMEOUT) == 0


def test_exit_handlers_can_write_and_log(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    with spawn_process(spawn_targets.write_at_exit) as child:
        assert child.wait(TIMEOUT) == 0
        assert read(child.pipe) == b"still writing"
    assert caplog.record_tuples == [("at exit", 30, "still logging")]


# --- waiting ---


def test_it_runs_until_it_ends(read: Read) -> None:
    with spawn_process(spawn_targets.until_closed, name="a name") as child:
        assert read(child.pipe) == b"ready"
        assert child.exitcode is None
        assert repr(child) == f"<ChildProcess 'a name' pid={child.pid} running>"
        for timeout in (0, -1, 0.02):
            with pytest.raises(DeadlineExceededError, match="a name"):
                child.wait(timeout)
        child.pipe.close()
        assert child.wait() == 0
        assert child.wait(0) == child.exitcode == 0
        assert repr(child) == f"<ChildProcess 'a name' pid={child.pid} ended with 0>"


def test_its_name_is_the_target_s_if_it_has_none() -> None:
    with spawn_process(spawn_targets.nothing) as function:
        assert function.name == "nothing"
    with spawn_process(spawn_targets.Caller("x")) as instance:
        assert instance.name == "Caller"


def test_the_exit_code_is_known_without_waiting() -> None:
    with spawn_process(spawn_targets.exit_with, 3) as child:
        pause = threading.Event()
        while child.exitcode is None:
            pause.wait(0.005)
        assert child.exitcode == 3
        assert is_gone(child.pid)


def test_many_threads_wait_for_one(read: Read) -> None:
    with spawn_process(spawn_targets.until_closed) as child, ThreadPoolExecutor(8) as pool:
        read(child.pipe)
        waiting = [pool.submit(child.wait, TIMEOUT) for _ in range(8)]
        child.pipe.close()
        assert [each.result() for each in waiting] == [0] * 8


def test_waiting_costs_no_cpu(read: Read) -> None:
    """Nor is it many short sleeps: the thread is not woken at all."""
    with spawn_process(spawn_targets.until_closed) as child:
        read(child.pipe)
        switches = []

        def count_switches() -> None:
            status = Path(f"/proc/self/task/{threading.get_native_id()}/status")
            before = status.read_text()
            with pytest.raises(DeadlineExceededError):
                child.wait(0.5)
            for text in (before, status.read_text()):
                lines = dict(line.split(":\t") for line in text.splitlines())
                switches.append(int(lines["voluntary_ctxt_switches"]))

        thread = threading.Thread(target=count_switches)
        thread.start()
        thread.join()
        assert switches[1] - switches[0] < 20


def test_somebody_else_has_reaped_it(read: Read) -> None:
    """As with subprocess, the code is then lost, and nothing hangs."""
    with spawn_process(spawn_targets.until_closed) as child:
        read(child.pipe)
        child.pipe.close()
        os.waitpid(child.pid, 0)
        assert child.wait(TIMEOUT) == 0
        child.terminate()


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
    timer.start()
    try:
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


def test_a_forked_child_has_no_children(read: Read) -> None:
    with spawn_process(spawn_targets.until_closed) as child:
        read(child.pipe)
        pid = os.fork()
        if pid == 0:
            refused = 0
            for use in (child.wait, child.terminate, child.kill, lambda: child.exitcode):
                try:
                    use()
                except FailedPreconditionError as error:
                    refused += "fork" in str(error)
            child.__exit__()
            child.__del__()
            os._exit(refused)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
        assert child.exitcode is None
        child.pipe.close()
        assert child.wait(TIMEOUT) == 0


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
