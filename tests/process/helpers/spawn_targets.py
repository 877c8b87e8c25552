"""What the tests run in other processes."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mojo_seq import (
    DataPipeConsumerHandle,
    Handle,
    Message,
    MessagePipeHandle,
    PeerClosedError,
    PlatformHandle,
    SharedBufferHandle,
    Signals,
    spawn_process,
    wait,
)


def is_dead(pid: int) -> bool:
    """Gone, or a zombie that whoever has it now is slow to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, or before it was read
        return True


def next_message(pipe: MessagePipeHandle) -> Message:
    wait(pipe, Signals.READABLE)
    return pipe.read()


def nothing(pipe: MessagePipeHandle, *args: object) -> None:
    pass


def answer_repr(pipe: MessagePipeHandle, *args: object) -> None:
    pipe.write(repr(args).encode())


def echo(pipe: MessagePipeHandle) -> None:
    """Sends everything back until the other end is closed."""
    try:
        while True:
            pipe.write_message(next_message(pipe))
    except PeerClosedError:
        return


def until_closed(pipe: MessagePipeHandle, *args: object) -> None:
    pipe.write(b"ready")
    wait(pipe, Signals.PEER_CLOSED)


class Caller:
    """An object that can be called, and is no function."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, pipe: MessagePipeHandle) -> None:
        pipe.write(self.word.encode())

    def method(self, pipe: MessagePipeHandle) -> None:
        pipe.write(self.word.upper().encode())


class Parcel:
    """Handles inside an object inside an object."""

    def __init__(self, **contents: Any) -> None:
        self.contents = contents


def open_parcel(pipe: MessagePipeHandle, parcel: Parcel) -> None:
    inner: MessagePipeHandle = parcel.contents["pipe"]
    consumer: DataPipeConsumerHandle = parcel.contents["deeper"][0].contents["consumer"]
    buffer: SharedBufferHandle = parcel.contents["deeper"][1]
    file: PlatformHandle = parcel.contents["file"]
    with inner, consumer, buffer, buffer.map() as mapping:
        wait(consumer, Signals.READABLE)
        memoryview(mapping)[:3] = consumer.read(3)
        fd = file.unwrap()
        inner.write(os.read(fd, 100))
        os.close(fd)


def answer_identity(
    pipe: MessagePipeHandle, shared: list[str], outer: dict[str, list[str]]
) -> None:
    pipe.write(repr(outer["inner"] is shared).encode())


def answer_digest(pipe: MessagePipeHandle, data: bytes) -> None:
    pipe.write(hashlib.sha256(data).digest())


def fail_to_arrive() -> None:
    raise ValueError("not at the destination")


class FailsToArrive:
    """Can be pickled, and not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return fail_to_arrive, ()


def read_all(pipe: MessagePipeHandle, source: MessagePipeHandle) -> None:
    """Passes on what is in `source` until its other end is closed."""
    with source:
        try:
            while True:
                pipe.write_message(next_message(source))
        except PeerClosedError:
            pipe.write(b"closed")


# --- how a process ends ---


def exit_with(pipe: MessagePipeHandle, code: Any) -> None:
    sys.exit(code)


def raise_error(pipe: MessagePipeHandle, error: BaseException) -> None:
    raise error


def die_of(pipe: MessagePipeHandle, number: int) -> None:
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    threading.Event().wait()


def exit_at_once(pipe: MessagePipeHandle, code: int) -> None:
    pipe.write(b"last words")
    os._exit(code)


def ignore_everything(pipe: MessagePipeHandle, *, also_terminate: bool = True) -> None:
    """Neither the end of the pipe nor SIGTERM ends it."""
    if also_terminate:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(PeerClosedError):  # the parent may be dead already
        pipe.write(b"ready")
    while True:
        time.sleep(60)


def ignore_the_pipe(pipe: MessagePipeHandle) -> None:
    ignore_everything(pipe, also_terminate=False)


def leave_a_thread(pipe: MessagePipeHandle) -> None:
    """A thread that is no daemon goes on when the target has returned."""

    def work() -> None:
        next_message(pipe).close()
        pipe.write(b"from the thread")

    threading.Thread(target=work).start()


def write_at_exit(pipe: MessagePipeHandle) -> None:
    import atexit

    atexit.register(logging.getLogger("at exit").warning, "still logging")
    atexit.register(pipe.write, b"still writing")


# --- what a process finds ---


def describe_process(pipe: MessagePipeHandle) -> None:
    import resource

    fds = {}
    for name in os.listdir("/proc/self/fd"):
        if os.path.exists(f"/proc/self/fd/{name}"):
            fds[int(name)] = os.get_inheritable(int(name))
    found = {
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "cwd": os.getcwd(),
        "argv": sys.argv,
        "path": sys.path,
        "flags": (sys.flags.optimize, sys.flags.dev_mode, sys.flags.bytes_warning),
        "stdin": os.readlink("/proc/self/fd/0"),
        "stdout": os.readlink("/proc/self/fd/1"),
        "stderr": os.readlink("/proc/self/fd/2"),
        "fds": fds,
        "limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "environment": os.environ.get("FOR_THE_TEST"),
        "mp": "multiprocessing" in sys.modules,
    }
    pipe.write(repr(found).encode())


def answer_blocked_signals(pipe: MessagePipeHandle) -> None:
    pipe.write(repr([int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, ())]).encode())


def print_lines(pipe: MessagePipeHandle) -> None:
    print("to stdout")
    print("to stderr", file=sys.stderr)


# --- families ---


def report_bad(pipe: MessagePipeHandle) -> None:
    """Sends a message for the other side to complain of, and one over a pipe that comes."""
    pipe.write(b"bad")
    try:
        for handle in next_message(pipe).take_handles():
            assert isinstance(handle, MessagePipeHandle)
            handle.write(b"bad, too")
            handle.close()
    except PeerClosedError:
        return
    wait(pipe, Signals.PEER_CLOSED)


def parent_of_busy_one(pipe: MessagePipeHandle, folder: str) -> None:
    """Has a child that is busy in Python, and is blocked itself."""
    child = spawn_process(busy, folder, name="busy")
    note_pid(folder)
    wait(child.pipe, Signals.READABLE)
    pipe.write(b"ready")
    threading.Event().wait()


def busy(pipe: MessagePipeHandle, folder: str) -> None:
    note_pid(folder)
    pipe.write(b"ready")
    while True:
        pass


def note_and_block(pipe: MessagePipeHandle, folder: str) -> None:
    """Waits for what never comes."""
    note_pid(folder)
    pipe.write(b"ready")
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def note_and_stop_python(pipe: MessagePipeHandle, folder: str) -> None:
    """Never gives up the interpreter's lock: the call is one, and has no end."""
    note_pid(folder)
    pipe.write(b"ready")
    sum(itertools.repeat(1))


def ignore_everything_and_note(pipe: MessagePipeHandle, folder: str) -> None:
    note_pid(folder)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ignore_everything(pipe)


def note_pid(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()


def spawn_and_relay(pipe: MessagePipeHandle, depth: int, parcel: Handle) -> None:
    """Hands a handle to a process of its own, and so on."""
    if depth == 0:
        assert isinstance(parcel, MessagePipeHandle)
        with parcel:
            parcel.write(f"from {os.getpid()}".encode())
        return
    with spawn_process(spawn_and_relay, depth - 1, parcel) as child:
        child.wait()
