"""What children do in processes that they fork."""

from __future__ import annotations

import gc
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    FailedPreconditionError,
    Handle,
    Message,
    MessagePipeHandle,
    SharedBufferHandle,
    Signals,
    ThreadPool,
    WaitSet,
    Watcher,
    _core,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    wait,
    wait_many,
)
from puppets.handles import get, put
from puppets.pipes import receive, wait_for
from puppets.stage import Prop
from puppets.wire import TIMEOUT


def in_fork(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function in a forked process, and returns what it returns."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(readable)
            with os.fdopen(writable, "wb") as file:
                pickle.dump(function(*args), file)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writable)
    with os.fdopen(readable, "rb") as file:
        data = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"the forked process ended with {os.waitstatus_to_exitcode(status)}"
    return pickle.loads(data)


class Forked(Prop):
    """A forked process that does nothing until it is told to end."""

    def __init__(self) -> None:
        readable, writable = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(writable)
            os.read(readable, 1)
            os._exit(0)
        os.close(readable)
        self._stay = writable

    def close(self) -> None:
        if self._stay >= 0:
            os.close(self._stay)
            self._stay = -1
            _, status = os.waitpid(self._pid, 0)
            assert status == 0


def fork() -> Forked:
    return Forked()


def _outcome(function: Callable[[], object]) -> str:
    try:
        function()
    except FailedPreconditionError as error:
        return "names the fork" if "fork" in str(error) else str(error)
    except Exception as error:
        return repr(error)
    return "ok"


def outcomes(
    pipe: MessagePipeHandle,
    producer: DataPipeProducerHandle,
    consumer: DataPipeConsumerHandle,
    buffer: SharedBufferHandle,
) -> dict[str, str]:
    """What comes of using handles that were made before the fork."""
    watcher = Watcher(lambda *_: None)
    local, _ = create_message_pipe()
    uses: dict[str, Callable[[], object]] = {
        "write": lambda: pipe.write(b"x"),
        "write_batch": lambda: pipe.write_batch([b"x"]),
        "write_message": lambda: pipe.write_message(Message(b"x")),
        "read": pipe.read,
        "read_batch": pipe.read_batch,
        "query": pipe.query_signals_state,
        "wait": lambda: wait(pipe, Signals.READABLE, 0),
        "wait_many": lambda: wait_many([(local, Signals.READABLE), (pipe, Signals.READABLE)]),
        "watch": lambda: watcher.watch(pipe, Signals.READABLE, None),
        "add_handle": lambda: WaitSet().add_handle(pipe, Signals.READABLE),
        "attach": lambda: Message(b"", [pipe]),
        "send": lambda: local.write(b"", [pipe]),
        "data write": lambda: producer.write(b"x"),
        "begin_write": producer.begin_write,
        "data read": consumer.read,
        "begin_read": consumer.begin_read,
        "map": buffer.map,
        "duplicate": buffer.duplicate,
    }
    return {name: _outcome(use) for name, use in uses.items()}


def outcomes_in_fork(*handles: Any) -> dict[str, str]:
    found: dict[str, str] = in_fork(outcomes, *handles)
    return found


def close_all_and_collect(handles: list[Handle]) -> list[bool]:
    """Closes what was inherited, drops it, lets the collector run."""
    for handle in handles:
        handle.close()
    valid = [handle.is_valid for handle in handles]
    handles.clear()
    gc.collect()
    return valid


def close_in_fork(handles: list[Handle]) -> list[bool]:
    found: list[bool] = in_fork(close_all_and_collect, handles)
    return found


def use_new_objects() -> str:
    """All kinds of things are made and used, as in any process."""
    a, b = create_message_pipe()
    a.write(b"x", [create_shared_buffer(10), *create_data_pipe(10)])
    assert wait(b, Signals.READABLE, TIMEOUT)[0] == 0
    with b.read() as message:
        buffer, producer, consumer = message.take_handles()
        put(buffer, b"shared")
        assert get(buffer, 6) == b"shared"
        put(producer, b"bytes")
        assert get(consumer, 5) == b"bytes"
    with ThreadPool(2) as pool:
        assert pool.create_sequenced_task_runner().submit(len, "four").result(TIMEOUT) == 4
    left, right = socket.socketpair()
    c, d = _core.adopt_socket(left.detach()), _core.adopt_socket(right.detach())
    told = threading.Event()
    with Watcher(lambda *_: told.set()) as watcher:
        watcher.watch(d, Signals.READABLE, None)
        assert watcher.arm() == []
        for _ in range(1_000):
            c.write(bytes(10_000))  # more than the kernel takes: the I/O thread is needed
        assert told.wait(TIMEOUT)
        for _ in range(1_000):
            assert receive(d) == bytes(10_000)
    c.write(bytes(1_000_000), [b])
    with d:
        wait_for(d, Signals.READABLE)
        assert len(d.read()) == 1_000_000
    for handle in (a, buffer, producer, consumer, c):
        handle.close()
    return "all right"


def use_new_objects_in_fork() -> str:
    found: str = in_fork(use_new_objects)
    return found


def use_new_objects_in_forks_of_forks(depth: int) -> str:
    if depth:
        in_fork(use_new_objects_in_forks_of_forks, depth - 1)
    return use_new_objects()


def fork_often(count: int, pipe: MessagePipeHandle) -> int:
    """Forks again and again while other threads write, read and wait; new things work in each."""
    stop = threading.Event()
    a, b = create_message_pipe()

    def write() -> None:
        while not stop.is_set():
            pipe.write(bytes(500))
            pipe.write(bytes(70_000))
            time.sleep(0.0005)

    def read_and_write() -> None:
        while not stop.is_set():
            a.write(b"x", [create_shared_buffer(10)])
            b.read().close()

    def wait_long() -> None:
        while not stop.is_set():
            wait(pipe, Signals.READABLE, 0.001)

    threads = [threading.Thread(target=body) for body in (write, read_and_write, wait_long) * 2]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count):
            assert in_fork(use_new_objects) == "all right"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    a.close()
    b.close()
    return count


def write_around_a_fork(pipe: MessagePipeHandle, count: int) -> None:
    """Half is written before a process is forked, which ends cleanly, half after it."""
    for number in range(count):
        if number == count // 2:
            in_fork(len, "nothing to do")
            pid = os.fork()
            if pid == 0:
                # Python's own way out, exit handlers included.
                sys.exit(0)
            os.waitpid(pid, 0)
        pipe.write(str(number).encode() * 200)


class Program(Prop):
    """Another program, started as careless programs do: it may inherit what can be inherited."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def start_program() -> Program:
    return Program()
