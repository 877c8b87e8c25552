"""Handles as arguments of multiprocessing.Process (contract §10).

In programs of their own: multiprocessing keeps processes and descriptors until a program's end.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import mp_targets
import pytest

from mojo_seq import create_message_pipe

PROLOGUE = """
import gc, multiprocessing, os, socket, sys, threading, time
import mp_targets
from mojo_seq import *
from mojo_seq import _core

def read(pipe):
    result, _ = wait(pipe, Signals.READABLE, 30)
    assert result is Result.OK, result
    with pipe.read() as message:
        return bytes(message)

def expect_end(pipe):
    assert wait(pipe, Signals.PEER_CLOSED, 30)[1].peer_closed

def owned():
    gc.collect()
    return {name: count for name, count in _core.live_objects().items() if count}

def descriptors():
    return set(os.listdir("/proc/self/fd"))

def main(context):
"""
EPILOGUE = """
def use_everything_once(context):
    # What multiprocessing, and the watching of other processes, takes once and for all.
    near, far = (_core.adopt_socket(each.detach()) for each in socket.socketpair())
    noticed = threading.Event()
    with near, far, Watcher(lambda *notification: noticed.set()) as watcher:
        wait(near, Signals.READABLE, 0.001)
        watcher.watch(near, Signals.READABLE, None)
        watcher.arm()
        far.write(b"")
        assert noticed.wait(30)
    process = context.Process(target=os.getpid)
    process.start()
    process.join()
    process.close()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    use_everything_once(context)
    before = owned(), descriptors(), threading.active_count()
    main(context)
    _core.release_cached_memory()
    for _ in range(1000):
        after = owned(), descriptors(), threading.active_count()
        if after == before:
            break
        time.sleep(0.01)
    assert after == before, (before, after)
    print("done")
"""


# Newer versions of Python do not like to fork where there are threads.
FORKING = "ignore::DeprecationWarning:multiprocessing.popen_fork"


def run(tmp_path: Path, body: str, method: str) -> str:
    """Runs a program with `body` as its main function; returns what it and its processes say."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    script = tmp_path / "program.py"
    script.write_text(PROLOGUE + lines + EPILOGUE)
    helpers = str(Path(mp_targets.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", FORKING, script, method],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": helpers},
        timeout=50,
    )
    assert done.stdout == "done\n", done.stdout + done.stderr
    return done.stderr


@pytest.fixture(params=["spawn", "forkserver"])
def method(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


# --- they move ---


def test_a_handle_moves(tmp_path: Path, method: str) -> None:
    body = """
near, far = create_message_pipe()
a, b = create_message_pipe()
near.write(b"unread")
with near, a:
    process = context.Process(target=mp_targets.use, args=(far, b), kwargs={"key": "value"})
    assert far.is_valid and b.is_valid
    process.start()
    assert not far.is_valid and not b.is_valid
    assert read(near) == b"([], {'key': 'value'})"
    assert read(a) == b"used"
    process.join()
    assert process.exitcode == 0
    expect_end(near)
process.close()
"""
    assert run(tmp_path, body, method) == ""


def test_all_kinds_move_at_any_depth(tmp_path: Path, method: str) -> None:
    body = """
near, far = create_message_pipe()
producer, consumer = create_data_pipe()
buffer = create_shared_buffer(16)
with near, producer, buffer.map() as mapping, open(sys.argv[0], "rb") as file:
    parcel = {"consumer": consumer, "buffer": buffer, "file": wrap_fd(os.dup(file.fileno()))}
    process = context.Process(target=mp_targets.take_all_kinds, args=(far, parcel))
    process.start()
    producer.write(b"data")
    assert read(near).startswith(b"\\nimport gc, multiprocessing")  # this very script
    process.join()
    assert bytes(memoryview(mapping)[:5]) == b"data\\0"
    del parcel
process.close()
"""
    assert run(tmp_path, body, method) == ""


def test_the_same_handle_twice_is_one_there(tmp_path: Path, method: str) -> None:
    body = """
near, far = create_message_pipe()
with near:
    process = context.Process(target=mp_targets.compare, args=(far, [far]))
    process.start()
    assert read(near) == b"True"
    process.join()
process.close()
"""
    assert run(tmp_path, body, method) == ""


def test_more_arguments_than_a_pipe_holds(tmp_path: Path, method: str) -> None:
    """The process has to get its handles to read on, while its parent has not written all."""
    body = """
near, far = create_message_pipe()
with near:
    process = context.Process(target=mp_targets.use, args=(far, bytes(3_000_000)))
    process.start()
    assert not far.is_valid
    assert read(near) == b"([3000000], {})"
    process.join()
process.close()
"""
    assert run(tmp_path, body, method) == ""


def test_many_processes_from_many_threads(tmp_path: Path, method: str) -> None:
    body = """
def one():
    near, far = create_message_pipe()
    with near:
        process = context.Process(target=mp_targets.use, args=(far, bytes(100_000)))
        process.start()
        assert read(near) == b"([100000], {})"
        process.join()
        assert process.exitcode == 0
    process.close()
    finished.append(1)
finished = []
threads = [threading.Thread(target=one) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(finished) == 4
"""
    assert run(tmp_path, body, method) == ""


def test_the_starter_is_itself_again(tmp_path: Path, method: str) -> None:
    """What is done to multiprocessing's object for the time of the start is undone."""
    body = """
near, far = create_message_pipe()
with near:
    process = context.Process(target=mp_targets.use, args=(far,))
    process.start()
    popen = process._popen
    assert type(popen).__module__.startswith("multiprocessing.popen_")
    assert not [name for name in vars(popen) if "mojo" in name]
    del popen
    process.join()
process.close()
"""
    assert run(tmp_path, body, method) == ""


# --- they stay ---


@pytest.mark.parametrize("order", ["far, bad", "bad, far"])
def test_another_argument_cannot_be_pickled(tmp_path: Path, method: str, order: str) -> None:
    body = f"""
near, far = create_message_pipe()
with near, far:
    bad = threading.Lock()
    try:
        context.Process(target=mp_targets.use, args=({order})).start()
    except TypeError as error:
        assert "pickle" in str(error)
    else:
        raise AssertionError
    near.write(b"still here")
    assert read(far) == b"still here"
    process = context.Process(target=mp_targets.use, args=(far,))
    process.start()
    assert read(near) == b"([], {{}})"
    process.join()
process.close()
"""
    assert run(tmp_path, body, method) == ""


def test_the_process_cannot_be_started(tmp_path: Path, method: str) -> None:
    body = """
from unittest import mock
near, far = create_message_pipe()
failing = "multiprocessing.util.spawnv_passfds"
if context.get_start_method() == "forkserver":
    failing = "multiprocessing.forkserver.connect_to_new_process"
with near, far:
    for _ in range(3):
        with mock.patch(failing, side_effect=OSError("no process")):
            try:
                context.Process(target=mp_targets.use, args=(far,)).start()
            except OSError as error:
                assert str(error) == "no process"
            else:
                raise AssertionError
    near.write(b"still here")
    assert read(far) == b"still here"
"""
    assert run(tmp_path, body, method) == ""


def test_a_handle_turns_out_not_to_be_sendable(tmp_path: Path, method: str) -> None:
    """Only when the process is there is it known; it is ended, and the call fails."""
    body = """
near, far = create_message_pipe()
producer, consumer = create_data_pipe()
with near, far, producer, consumer, producer.begin_write():
    try:
        context.Process(target=mp_targets.use, args=(far, producer)).start()
    except BusyError:
        pass
    else:
        raise AssertionError
    assert multiprocessing.active_children() == []
    near.write(b"still here")
    assert read(far) == b"still here"
    assert producer.is_valid
"""
    errors = run(tmp_path, body, method)
    assert errors == "" or "the parent kept the handles" in errors


def test_dead_handles_and_watchers(tmp_path: Path, method: str) -> None:
    body = """
near, far = create_message_pipe()
far.close()
with near, Watcher(print) as watcher:
    for bad in (far, watcher):
        try:
            context.Process(target=mp_targets.use, args=(near, bad)).start()
        except InvalidArgumentError:
            pass
        else:
            raise AssertionError
    assert near.is_valid
"""
    assert run(tmp_path, body, method) == ""


# --- elsewhere ---


def test_a_forked_process_s_handles_are_dead(tmp_path: Path) -> None:
    body = """
near, far = create_message_pipe()
with near, far:
    process = context.Process(target=mp_targets.try_inherited, args=(far,))
    process.start()
    process.join()
    assert process.exitcode == 41, process.exitcode
    assert far.is_valid
    near.write(b"undisturbed")
    assert read(far) == b"undisturbed"
process.close()
"""
    assert run(tmp_path, body, "fork") == ""


def test_a_queue_is_told_from_its_feeder(tmp_path: Path, method: str) -> None:
    body = """
near, far = create_message_pipe()
with near, far:
    queue = context.SimpleQueue()
    try:
        queue.put(far)
    except TypeError as error:
        assert "attach it to a message" in str(error)
    else:
        raise AssertionError
    queue.close()
    assert far.is_valid
"""
    assert run(tmp_path, body, method) == ""


def test_pickling_and_copying_are_refused_everywhere_else() -> None:
    near, far = create_message_pipe()
    with near, far:
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="attach it to a message"):
                attempt(near)


# --- what they write last ---


WAYS = [
    ("spawn", "write_much"),
    ("spawn", "connect_and_write_much"),
    ("forkserver", "write_much"),
    ("forkserver", "connect_and_write_much"),
    ("fork", "connect_and_write_much"),
]


@pytest.mark.parametrize(("way", "target"), WAYS)
def test_what_it_wrote_before_its_end_arrives(tmp_path: Path, way: str, target: str) -> None:
    """More than fits into the kernel, read only after a while; such processes skip `atexit`."""
    connecting = """
with NamedChannel.listen(PATH) as server:
    process = context.Process(target=mp_targets.connect_and_write_much, args=(PATH, 200))
    process.start()
    with server.accept(30) as endpoint:
        near = endpoint._adopt()
"""
    passing = """
near, far = create_message_pipe()
process = context.Process(target=mp_targets.write_much, args=(far, 200))
process.start()
"""
    body = f"PATH = {str(tmp_path / 'channel')!r}"
    body += passing if target == "write_much" else connecting
    body += """
with near:
    wait(near, Signals.READABLE)
    time.sleep(0.3)
    for number in range(200):
        assert read(near) == b"%d" % number + bytes(10_000)
    expect_end(near)
process.join()
assert process.exitcode == 0
process.close()
"""
    errors = run(tmp_path, body, way)
    assert "were not delivered" not in errors and "Traceback" not in errors
