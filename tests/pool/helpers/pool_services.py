"""What the tests run in workers of pools."""

from __future__ import annotations

import atexit
import ctypes
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from mojo_seq import (
    InvalidArgumentError,
    MessagePipeHandle,
    MojoError,
    PeerClosedError,
    Signals,
    wait,
)
from mojo_seq.pool import ProcessPool, service_host

TIMEOUT = 30.0


def is_dead(pid: int) -> bool:
    """Gone, or a zombie that whoever has it now is slow to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, or after
        return True


def await_end(pids: list[int]) -> None:
    """Returns when none of these processes is alive."""
    pause = threading.Event()
    end = time.monotonic() + TIMEOUT
    while not all(map(is_dead, pids)):
        if time.monotonic() > end:
            raise AssertionError(f"alive: {[pid for pid in pids if not is_dead(pid)]}")
        pause.wait(0.005)


def echo(pipe: MessagePipeHandle) -> None:
    """Sends everything back until the other end is closed."""
    try:
        while True:
            wait(pipe, Signals.READABLE)
            pipe.write_message(pipe.read())
    except MojoError:
        return


def answer(pipe: MessagePipeHandle, *args: object) -> None:
    pipe.write(repr(args).encode())


def answer_pid(pipe: MessagePipeHandle) -> None:
    """Tells where it runs, and stays until the other end is closed."""
    pipe.write(str(os.getpid()).encode())
    wait(pipe, Signals.PEER_CLOSED)


def wait_closed(pipe: MessagePipeHandle) -> str:
    """Waits until the pipe is closed, at either end; how the wait has ended."""
    try:
        return wait(pipe, Signals.PEER_CLOSED)[0].name
    except InvalidArgumentError:
        return "CANCELLED"  # before it could begin


def until_told(pipe: MessagePipeHandle, note: str) -> None:
    """Its end is that of its pipe; it notes what it sees of that."""
    pipe.write(b"ready")
    Path(note).write_text(f"{wait_closed(pipe)} {pipe.is_valid}")


def until_it_fails(pipe: MessagePipeHandle, note: str) -> None:
    """Never waits, so its end is an error."""
    pipe.write(b"ready")
    try:
        while True:
            pipe.query_signals_state()
    except MojoError as error:
        Path(note).write_text(type(error).__name__)
        raise


def fail_at_the_end(pipe: MessagePipeHandle) -> None:
    pipe.write(b"ready")
    wait_closed(pipe)
    raise ValueError("at the end")


def answer_in(pipe: MessagePipeHandle, parcel: dict[str, MessagePipeHandle]) -> None:
    """Uses a handle that is somewhere in its arguments."""
    with parcel["pipe"] as inner:
        inner.write(b"from the parcel")
    wait(pipe, Signals.PEER_CLOSED)


def answer_thread(pipe: MessagePipeHandle) -> None:
    pipe.write(threading.current_thread().name.encode())


def raise_error(pipe: MessagePipeHandle, text: str) -> None:
    raise ValueError(text)


def shorten_grace_and_stay(pipe: MessagePipeHandle) -> None:
    service_host._GRACE_PERIOD = 0.05
    pipe.write(b"ready")
    threading.Event().wait()


def _stay_at_exit() -> None:
    atexit.register(threading.Event().wait)


def stay_at_exit(pipe: MessagePipeHandle) -> None:
    """The process does not end by itself, but does when it is terminated."""
    _stay_at_exit()
    pipe.write(b"ready")
    wait(pipe, Signals.PEER_CLOSED)


def exit_code(pipe: MessagePipeHandle, code: int) -> None:
    os._exit(code)


def kill_self(pipe: MessagePipeHandle) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop_python(pipe: MessagePipeHandle) -> None:
    """No thread of this process runs any Python from now on."""
    pipe.write(b"ready")
    ctypes.PyDLL(None).pause()


def interrupt(pipe: MessagePipeHandle) -> None:
    """Ctrl-C reaches this process, and a program that it starts."""
    os.kill(os.getpid(), signal.SIGINT)
    code = "import os, signal; print(signal.getsignal(2), signal.pthread_sigmask(0, []))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pipe.write(done.stdout.encode())


def answer_state(pipe: MessagePipeHandle) -> None:
    pipe.write(repr(state).encode())


state: list[object] = []


def append(*values: object) -> None:
    """As an initializer."""
    state.extend(values)
    state.append(threading.current_thread() is threading.main_thread())


def fail(text: str) -> None:
    """As an initializer."""
    raise ValueError(text)


def fail_on_request(path: str) -> None:
    """As an initializer: works only while the file is not there."""
    if os.path.exists(path):
        raise LookupError(path)


def leave(code: int) -> None:
    """As an initializer."""
    sys.exit(code)


def stay_at_end() -> None:
    """As an initializer."""
    _stay_at_exit()


def ignore_termination() -> None:
    """As an initializer."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def log(pipe: MessagePipeHandle, text: str) -> None:
    logging.getLogger("service").warning(text)


def fail_to_arrive() -> None:
    raise ValueError("not at the destination")


class FailsToArrive:
    """Can be pickled, and not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return fail_to_arrive, ()


def next_message(pipe: MessagePipeHandle) -> bytes:
    """Waits for it; b"" when there will be none."""
    wait(pipe, Signals.READABLE, TIMEOUT)
    try:
        with pipe.read() as message:
            return bytes(message)
    except PeerClosedError:
        return b""


def ask(pipe: MessagePipeHandle, question: bytes) -> bytes:
    """The answer; b"" when there is nobody to give one."""
    try:
        pipe.write(question)
    except PeerClosedError:
        return b""
    return next_message(pipe)


def start_workers(pool: ProcessPool, count: int) -> list[tuple[MessagePipeHandle, int]]:
    """Workers with a service each: the pipe to it, and the process's number."""
    pipes = [pool.choose_worker().open_service(answer_pid) for _ in range(count)]
    return [(pipe, int(next_message(pipe))) for pipe in pipes]


def close_control(pipe: MessagePipeHandle) -> None:
    """The pool loses the worker, which goes on as long as it can."""
    for each in gc.get_objects():
        if isinstance(each, service_host.ServiceHost):
            each._control.close()
