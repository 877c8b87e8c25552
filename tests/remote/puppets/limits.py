"""What children do at the limits of descriptors."""

from __future__ import annotations

import ctypes
import os
import resource
import time
from typing import Any

from mojo_seq import (
    Handle,
    MessagePipeHandle,
    ResourceExhaustedError,
    create_message_pipe,
)
from puppets.pipes import next_message, receive
from puppets.stage import Prop
from puppets.wire import TIMEOUT

PR_SET_DUMPABLE = 4


def set_limit(soft: int, hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def limit() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def lose_privileges() -> None:
    """Becomes a user of its own: the kernel's limits do not hold for root. Imports no more."""
    if os.geteuid() == 0:
        uid = 40_000 + os.getpid() % 20_000
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # or /proc/self would be root's


class Filler(Prop):
    """Takes all descriptors but some, and gives them back."""

    def __init__(self, room: int) -> None:
        lowest = os.open("/dev/null", os.O_RDONLY)
        set_limit(lowest + 40, lowest + 40)
        self._taken = [lowest]
        while True:
            try:
                self._taken.append(os.dup(lowest))
            except OSError:
                break
        for _ in range(room):
            os.close(self._taken.pop())

    def close(self) -> None:
        while self._taken:
            os.close(self._taken.pop())


def fill(room: int) -> Filler:
    return Filler(room)


def send_pipes(pipe: MessagePipeHandle, count: int) -> int:
    """Sends an end of each of so many new pipes, the other of which has said something and is
    closed. How often there was no room for one, and it had to be tried again."""
    refused = 0
    for number in range(count):
        a, b = create_message_pipe()
        with a, b:
            a.write(str(number).encode())
            refused += _write(pipe, [b])
    return refused


def send_many_pipes(pipe: MessagePipeHandle, messages: int, count: int) -> int:
    """The same with `count` ends in each message."""
    refused = 0
    for number in range(messages):
        ends: list[Handle] = []
        for index in range(count):
            a, b = create_message_pipe()
            ends.append(b)
            with a:
                a.write(str(number * count + index).encode())
        refused += _write(pipe, ends)
    return refused


def _write(pipe: MessagePipeHandle, handles: list[Handle]) -> int:
    refused = 0
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            pipe.write(b"ends", handles)
            return refused
        except ResourceExhaustedError:
            assert all(handle.is_valid for handle in handles)
            refused += 1
            assert time.monotonic() < deadline, "no room for them"
            time.sleep(0.001)  # for the reader


def receive_from_pipes(pipe: MessagePipeHandle, count: int) -> list[bytes]:
    """What each of so many pipe ends, in however many messages, has to say; closes them."""
    said: list[bytes] = []
    while len(said) < count:
        with next_message(pipe) as message:
            for end in message.handles:
                assert isinstance(end, MessagePipeHandle)
                said.append(receive(end))
    return said


def try_to_read(pipe: MessagePipeHandle) -> Any:
    """The message, or the name of what it raised."""
    try:
        return pipe.read()
    except ResourceExhaustedError as error:
        return type(error).__name__


def try_to_write(pipe: MessagePipeHandle, nbytes: int, handles: list[Handle]) -> str:
    """Writes zeros and handles."""
    try:
        pipe.write(bytes(nbytes), handles)
    except ResourceExhaustedError as error:
        assert all(handle.is_valid for handle in handles)
        return type(error).__name__
    return "ok"


def idle_time(seconds: float) -> float:
    """Processor time that this process uses, all threads, while it does nothing."""
    before = time.process_time()
    time.sleep(seconds)
    return time.process_time() - before


def echo_on_each(pipes: list[MessagePipeHandle]) -> None:
    for pipe in pipes:
        with next_message(pipe) as message:
            pipe.write_message(message)
