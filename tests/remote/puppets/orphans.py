"""A program with children and grandchildren that are busy in various ways.

It prints their numbers, and then waits to be killed.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import signal
import socket
import sys
import threading
import time

from mojo_seq import ChildProcess, MessagePipeHandle, spawn_process
from puppets.pipes import receive

FOR_EVER = 3_600


def compute() -> None:
    while True:
        pass


def hold_the_gil() -> None:
    """In a C function that was called with the GIL held."""
    ctypes.PyDLL(None).sleep(FOR_EVER)


def match() -> None:
    """In Python's own C code, which looks at nothing else until it is through: never."""
    re.match(r"(a*)*b", "a" * 64)


def sleep() -> None:
    time.sleep(FOR_EVER)


def read_a_pipe() -> None:
    readable, _ = os.pipe()
    os.read(readable, 1)


def ignore_signals() -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    here, there = socket.socketpair()
    with there:
        here.recv(1)


def join_a_thread() -> None:
    """Exit has begun, and waits for a thread that never ends."""
    threading.Thread(target=time.sleep, args=(FOR_EVER,)).start()


def stay_in_exit_handlers() -> None:
    atexit.register(time.sleep, FOR_EVER)


WAYS = {
    each.__name__: each
    for each in (
        compute,
        hold_the_gil,
        match,
        sleep,
        read_a_pipe,
        ignore_signals,
        join_a_thread,
        stay_in_exit_handlers,
    )
}


def be_busy(pipe: MessagePipeHandle, way: str) -> None:
    pipe.write(str(os.getpid()).encode())
    WAYS[way]()


def have_a_busy_child(pipe: MessagePipeHandle, way: str) -> None:
    child = spawn_process(be_busy, way)
    pipe.write(receive(child.pipe))
    be_busy(pipe, way)


def have_busy_children(ways: list[str]) -> list[ChildProcess]:
    """Prints the numbers of a child and a grandchild for each way."""
    children = [spawn_process(have_a_busy_child, way) for way in ways]
    for child in children:
        print(int(receive(child.pipe)), int(receive(child.pipe)), flush=True)
    return children


def in_a_thread(ways: list[str]) -> list[ChildProcess]:
    """The thread that starts them ends before the process does."""
    children: list[ChildProcess] = []
    thread = threading.Thread(target=lambda: children.extend(have_busy_children(ways)))
    thread.start()
    thread.join()
    print("the thread has ended", flush=True)
    return children


def with_a_forked_process(ways: list[str]) -> list[ChildProcess]:
    """Prints the number of a forked process, too, which nothing ends but the test."""
    children = have_busy_children(ways)
    pid = os.fork()
    if pid == 0:
        time.sleep(FOR_EVER)
    print(pid, flush=True)
    return children


def main(what: str, *ways: str) -> None:
    # A shell may have started the tests with these ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Kept: a Ctrl-C that comes while something is being dropped is lost.
    children = {
        "have": have_busy_children,
        "in a thread": in_a_thread,
        "with a forked process": with_a_forked_process,
        "end": have_busy_children,
        "exec": have_busy_children,
    }[what](list(ways))
    if what in ("end", "exec"):
        sys.stdin.read()
    if what == "end":
        os._exit(0)
    if what == "exec":
        os.execvp("sleep", ["sleep", str(FOR_EVER)])
    time.sleep(FOR_EVER)
    del children


if __name__ == "__main__":
    main(*sys.argv[1:])
