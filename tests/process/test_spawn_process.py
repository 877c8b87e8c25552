"""spawn_process: a function in a fresh interpreter, and what it finds there (contract §10)."""

from __future__ import annotations

import ast
import os
import resource
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
    BadMessageReport,
    MessagePipeHandle,
    Result,
    Signals,
    _core,
    create_message_pipe,
    spawn_process,
    wait,
)

TIMEOUT = 30.0
Read = Callable[[MessagePipeHandle], bytes]


def describe(read: Read) -> dict[str, Any]:
    with spawn_process(spawn_targets.describe_process) as child:
        found: dict[str, Any] = ast.literal_eval(read(child.pipe).decode())
        assert found["pid"] == child.pid
    return found


# --- the pipe ---


def test_messages_go_both_ways(read: Read) -> None:
    with spawn_process(spawn_targets.echo) as child:
        for payload in (b"", b"hello", bytes(range(256)) * 10_000):
            child.pipe.write(payload)
            assert read(child.pipe) == payload
        child.pipe.close()
        assert child.wait(TIMEOUT) == 0


def test_what_is_written_before_it_runs_is_delivered_in_order(read: Read) -> None:
    with spawn_process(spawn_targets.echo) as child:
        child.pipe.write_batch([str(number).encode() for number in range(1000)])
        assert [int(read(child.pipe)) for _ in range(1000)] == list(range(1000))


def test_what_it_wrote_last_is_delivered(read: Read) -> None:
    with spawn_process(spawn_targets.answer_repr, 1, "two", [3.0, None]) as child:
        assert child.wait(TIMEOUT) == 0
        assert read(child.pipe) == b"(1, 'two', [3.0, None])"
        assert wait(child.pipe, Signals.READABLE, TIMEOUT)[0] is Result.FAILED_PRECONDITION


def test_a_megabyte_written_last_and_not_read_before_its_end() -> None:
    size = 3_000_000
    with spawn_process(spawn_targets.answer_repr, "x" * size) as child:
        assert wait(child.pipe, Signals.READABLE, TIMEOUT)[0] is Result.OK
        with child.pipe.read() as message:
            assert len(message) == size + len("('',)")
        assert child.wait(TIMEOUT) == 0


def test_its_end_closes_the_pipe(wait_closed: Callable[[MessagePipeHandle], None]) -> None:
    with spawn_process(spawn_targets.nothing) as child:
        wait_closed(child.pipe)


@pytest.mark.parametrize(
    "target", [spawn_targets.Caller("word"), spawn_targets.Caller("WORD").method]
)
def test_anything_that_can_be_called(read: Read, target: Callable[..., object]) -> None:
    with spawn_process(target) as child:
        assert read(child.pipe).lower() == b"word"


def test_many_at_once_from_many_threads(read: Read) -> None:
    def one(number: int) -> bytes:
        with spawn_process(spawn_targets.answer_repr, number) as child:
            return read(child.pipe)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(12))) == [f"({n},)".encode() for n in range(12)]


def test_bad_messages_of_the_child_are_reported() -> None:
    reports = list[BadMessageReport]()
    with spawn_process(spawn_targets.report_bad, on_error=reports.append) as child:
        a, b = create_message_pipe()
        with a:
            child.pipe.write(b"", [b])
            for pipe, reason in ((child.pipe, "first"), (a, "second")):
                assert wait(pipe, Signals.READABLE, TIMEOUT)[1].readable
                with pipe.read() as message:
                    message.notify_bad(reason)
    assert reports == [BadMessageReport("first", child.pid), BadMessageReport("second", child.pid)]


# --- what it finds ---


def test_it_is_a_child_with_our_directory_and_environment(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOR_THE_TEST", "inherited")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["program", "--option"])
    monkeypatch.syspath_prepend(str(tmp_path / "ünï 'quoted'"))
    found = describe(read)
    assert found["ppid"] == os.getpid()
    assert found["cwd"] == str(tmp_path)
    assert found["argv"] == ["program", "--option"]
    assert found["path"] == [each or str(tmp_path) for each in sys.path]
    assert found["environment"] == "inherited"
    assert not found["mp"]


def test_it_has_our_streams_but_no_input(read: Read) -> None:
    found = describe(read)
    assert found["stdin"] == "/dev/null"
    for fd, name in ((1, "stdout"), (2, "stderr")):
        assert found[name] == os.readlink(f"/proc/self/fd/{fd}")


def test_nothing_else_is_inherited_by_it_or_from_it(read: Read) -> None:
    before = os.dup(0)
    os.set_inheritable(before, True)
    try:
        found = describe(read)
    finally:
        os.close(before)
    assert before not in found["fds"]
    assert {fd for fd, inheritable in found["fds"].items() if inheritable} == {0, 1, 2}


def test_what_it_prints_appears_where_ours_does(capfd: pytest.CaptureFixture[str]) -> None:
    with spawn_process(spawn_targets.print_lines):
        pass
    assert capfd.readouterr() == ("to stdout\n", "to stderr\n")


def test_its_descriptor_limit_is_the_one_we_had_at_first(read: Read) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert describe(read)["limit"] == _core.initial_descriptor_limit() <= soft <= hard


def test_its_interpreter_has_the_same_options() -> None:
    code = """
import ast, spawn_targets, sys
from mojo_seq import *
with spawn_process(spawn_targets.describe_process) as child:
    wait(child.pipe, Signals.READABLE)
    with child.pipe.read() as message:
        found = ast.literal_eval(bytes(message).decode())
print(found["flags"])
"""
    helpers = str(Path(spawn_targets.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-O", "-X", "dev", "-bb", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": helpers},
    )
    assert (done.stdout, done.stderr) == ("(1, True, 2)\n", "")


@pytest.mark.parametrize("blocked", [set(), {signal.SIGINT}, {signal.SIGUSR1}])
def test_signals_are_blocked_as_they_are_here(read: Read, blocked: set[int]) -> None:
    before = signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        found = subprocess_signals(read)
        assert signal.pthread_sigmask(signal.SIG_SETMASK, before) == blocked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert found == blocked


def subprocess_signals(read: Read) -> set[int]:
    with spawn_process(spawn_targets.answer_blocked_signals) as child:
        return set(ast.literal_eval(read(child.pipe).decode()))


def test_it_leaves_nothing_behind_here() -> None:
    descriptors = set(os.listdir("/proc/self/fd"))
    threads = threading.enumerate()
    for _ in range(3):
        with spawn_process(spawn_targets.nothing) as child:
            assert child.wait(TIMEOUT) == 0
            child.pipe.close()
            assert threading.enumerate() == threads
            assert set(os.listdir("/proc/self/fd")) == descriptors
            with pytest.raises(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)


# --- what cannot be ---


def test_arguments_of_the_wrong_kind() -> None:
    for target in (None, "text", 3):
        with pytest.raises(TypeError, match="target"):
            spawn_process(target)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name"):
        spawn_process(spawn_targets.nothing, name=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on_error"):
        spawn_process(spawn_targets.nothing, on_error=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        spawn_process(spawn_targets.nothing, nonsense=3)  # type: ignore[call-arg]
