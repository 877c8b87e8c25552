"""ChildProcess: how a process ends, and how one waits for it (contract §10)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import spawn_targets

from mojo_seq import (
    DeadlineExceededError,
    MessagePipeHandle,
    spawn_process,
)

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
