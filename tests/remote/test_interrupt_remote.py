"""Ctrl-C ends waiting for another process; nothing is lost by it (public contract §9)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from puppets import TIMEOUT, Puppet
from puppets.interrupts import CALLS, wait_until_interrupted
from puppets.pipes import receive

from mojo_seq import MessagePipe

MessagePipes = Callable[[], MessagePipe]


def wait_until_asleep(pid: int) -> None:
    """Until its main thread has slept for a while."""
    asleep = 0
    deadline = time.monotonic() + TIMEOUT
    while asleep < 10:
        state = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c(child: Puppet, message_pipes: MessagePipes, name: str) -> None:
    a, b = message_pipes()
    there = child.give(b)
    for number in range(3):
        child.begin(wait_until_interrupted, there, name)
        assert receive(a) == b"waiting"
        wait_until_asleep(child.pid)
        os.kill(child.pid, signal.SIGINT)
        assert child.finish() == "interrupted"
        a.write(str(number).encode())
        assert child.call(receive, there) == str(number).encode()
