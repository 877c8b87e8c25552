"""Shared and given arrays between processes: their life, and the deaths around it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import array_targets
import numpy as np
import pytest
from array_targets import call

from mojo_seq import (
    ChildProcess,
    InvalidArgumentError,
    MessagePipeHandle,
    Signals,
    _core,
    create_message_pipe,
    spawn_process,
    wait,
)
from mojo_seq.process import give, memory_statistics, shared_array, spawn_arguments

HELPERS = str(Path(__file__).parent / "helpers")


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    with spawn_process(array_targets.serve) as made:
        yield made


@pytest.fixture
def pipe(child: ChildProcess) -> MessagePipeHandle:
    return child.pipe


def until(condition: Any) -> None:
    """Polls; the test's timeout is the limit."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.002)


def test_both_processes_write_to_the_same_memory(pipe: MessagePipeHandle) -> None:
    array = shared_array((100, 100))
    call(pipe, array_targets.fill, array[::2, 5:50], 7)
    assert array.sum() == 7 * 50 * 45
    array[:] = 1
    assert call(pipe, array_targets.total, array.T) == 10_000


def test_one_that_is_made_there_is_ours_too(pipe: MessagePipeHandle) -> None:
    array = call(pipe, array_targets.made_here, 1000)
    assert (array == np.arange(1000)).all()
    call(pipe, array_targets.fill, array, 3)
    assert (array == 3).all()
    again = call(pipe, array_targets.same, {"deep": array[10:]})["deep"]
    again[0] = 8
    assert array[10] == 8


def test_arguments_of_a_new_process_share() -> None:
    array = shared_array((10, 10))
    ordinary = np.arange(50_000.0)
    with spawn_process(array_targets.serve, array[::2], {"x": [array]}, ordinary) as child:
        call(child.pipe, array_targets.fill_kept, 0, 5)
        assert array[::2].sum() == 250 and array.sum() == 250
        call(child.pipe, array_targets.fill_kept, 2, 5)
        assert ordinary[1] == 1
    assert memory_statistics().in_use_count == 1


def test_a_call_that_several_processes_make_shares_its_arrays() -> None:
    array = shared_array((4, 100))
    packed = spawn_arguments.pack_often(array_targets.add_to, (array[1:3], array, np.ones(5000)))
    for _ in range(3):
        with spawn_process(array_targets.run_packed, packed) as child:
            assert child.wait(30) == 0
    assert (array[1:3] == 3).all() and (array[[0, 3]] == 0).all()


def test_a_call_that_several_processes_make_has_no_handles() -> None:
    near, far = create_message_pipe()
    with pytest.raises(InvalidArgumentError, match="more than one"):
        spawn_arguments.pack_often(array_targets.keep, (shared_array(5), far))
    near.close()
    far.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_results_and_arguments_that_are_given(pipe: MessagePipeHandle, read_only: bool) -> None:
    array = np.arange(100_000.0)
    assert call(pipe, array_targets.is_writable, array, read_only=read_only) != read_only
    assert call(pipe, array_targets.is_writable, give(array), read_only=True)
    first = call(pipe, array_targets.given_back, give(array), read_only=True)
    address = first.ctypes.data
    for _ in range(3):  # the memory goes to and fro
        first = call(pipe, array_targets.given_back, give(first), read_only=True)
        assert first.flags.writeable and (first == array).all()
    assert first.ctypes.data == address


def test_memory_is_used_again_when_all_have_let_go(pipe: MessagePipeHandle) -> None:
    _core.release_cached_memory()
    array = shared_array(100_000)
    address = array.ctypes.data
    call(pipe, array_targets.keep, array)
    del array
    assert memory_statistics().lent_count == 1
    assert shared_array(100_000).ctypes.data != address
    _core.release_cached_memory()
    array = shared_array(100_000)
    address = array.ctypes.data
    call(pipe, array_targets.keep, array)
    del array
    call(pipe, array_targets.forget)
    assert shared_array(100_000).ctypes.data == address


def test_steady_use_takes_no_fresh_pages(pipe: MessagePipeHandle) -> None:
    """Arguments and results by value, 8 MiB each: 4096 pages a turn, if they were fresh."""
    array = np.ones(1 << 20)

    def turn() -> None:
        assert call(pipe, array_targets.is_writable, array, read_only=True) is False
        assert call(pipe, array_targets.given_back, give(array), read_only=True)[5] == 1

    for _ in range(4):
        turn()
    call(pipe, array_targets.faults)
    here, there = array_targets.faults(), call(pipe, array_targets.faults)
    for _ in range(20):
        turn()
    assert array_targets.faults() - here < 4096
    assert call(pipe, array_targets.faults) - there < 4096


def test_views_outlive_the_process_that_they_came_from(child: ChildProcess) -> None:
    array = call(child.pipe, array_targets.made_here, 100_000)
    copied = call(child.pipe, array_targets.same, np.arange(100_000.0))
    child.kill()
    child.wait(30)
    assert array[77] == 77 and copied[78] == 78
    array[:] = 1
    with spawn_process(array_targets.serve) as other:
        call(other.pipe, array_targets.fill, array, 2)
    assert (array == 2).all()


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_killed_process_held_is_no_leak(child: ChildProcess, when: str) -> None:
    _core.release_cached_memory()
    pipe = child.pipe
    array: Any = shared_array(100_000)
    received = call(pipe, array_targets.same, np.zeros(100_000))
    call(pipe, array_targets.keep, array, np.zeros(100_000))
    if when == "before":
        del array
    child.kill()
    child.wait(30)
    wait(pipe, Signals.PEER_CLOSED, 30)
    pipe.close()
    if when == "after":
        del array
    del received
    until(lambda: memory_statistics()[1:5] == (0, 0, 0, 0))
    assert memory_statistics().kept_count <= 1


def test_a_forked_child_sees_the_memory_and_it_is_not_used_for_others() -> None:
    arrays = [shared_array(1000)]
    arrays[0][:] = 1
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            arrays[0][0] = 5
            os.read(reading, 1)
            if (arrays[0][1:] == 1).all() and shared_array(10).sum() == 0:
                code = 0
        finally:
            os._exit(code)
    try:
        until(lambda: arrays[0][0] == 5)
        arrays.clear()
        for each in [shared_array(1000) for _ in range(3)]:
            each[:] = 9
        os.write(writing, b"x")
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)
    assert os.waitstatus_to_exitcode(status) == 0


EXIT_WITH_VIEWS = """
import sys
sys.path.insert(0, {helpers!r})
import array_targets
import numpy as np
from mojo_seq import spawn_process
from mojo_seq.process import give, shared_array

def main():
    global kept
    with spawn_process(array_targets.serve) as child:
        array = shared_array(100_000)
        kept = [array, array[::2], memoryview(array), give(array)]
        kept += [array_targets.call(child.pipe, array_targets.same, np.arange(100_000.0))]
        kept += [array_targets.call(child.pipe, array_targets.made_here, 50_000), kept]
    {ending}

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)", "sys.modules['kept'] = kept"])
def test_a_process_may_end_with_views_alive(ending: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(EXIT_WITH_VIEWS.format(helpers=HELPERS, ending=ending)))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")


def shared_mappings(pid: int) -> set[str]:
    """The names of the memory that a process shares with others, or could."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    mappings = [line.split(maxsplit=5) for line in lines]
    return {mapping[5] for mapping in mappings if mapping[1].endswith("s")}


def test_nothing_has_a_name_in_the_file_system(child: ChildProcess) -> None:
    call(child.pipe, array_targets.keep)  # it has begun: what its start maps is there
    here, there = shared_mappings(os.getpid()), shared_mappings(child.pid)
    arrays = [shared_array(100_000), np.zeros(100_000)]
    call(child.pipe, array_targets.keep, *arrays)
    for pid, before in ((os.getpid(), here), (child.pid, there)):
        names = shared_mappings(pid)
        assert not [name for name in names - before if os.path.exists(name)]
        assert "/memfd:mojo_seq (deleted)" in names


def test_three_processes_see_one_array(child: ChildProcess) -> None:
    array = shared_array(10)
    with spawn_process(array_targets.serve) as other:
        through = call(child.pipe, array_targets.same, array)
        again = call(other.pipe, array_targets.same, through)
        call(other.pipe, array_targets.fill, again, 6)
        assert call(child.pipe, array_targets.total, array) == 60
