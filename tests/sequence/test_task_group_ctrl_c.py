"""Ctrl-C while a task group ends."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading

import pytest

from mojo_seq import ThreadPool, current_task

TIMEOUT = 30.0


pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


def cooperate() -> None:
    """Goes on until it is cancelled."""
    current_task().sleep(TIMEOUT)
    raise AssertionError("was not cancelled")


def test_it_cancels_the_tasks_and_is_raised_when_they_have_ended(pool: ThreadPool) -> None:
    submitted = threading.Event()

    def interrupt() -> None:
        assert submitted.wait(TIMEOUT)
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt), pool.task_group() as group:
        futures = [group.submit(cooperate), group.submit(interrupt)]
        submitted.set()
    assert futures[0].cancelled() and futures[1].done()


def test_in_the_body_likewise(pool: ThreadPool) -> None:
    with pytest.raises(KeyboardInterrupt), pool.task_group() as group:
        future = group.submit(cooperate)
        group.submit(_thread.interrupt_main)
        future.result(TIMEOUT)
    assert future.cancelled()


def test_a_second_one_does_not_wait_for_threads(pool: ThreadPool) -> None:
    gate, cancelled = threading.Event(), threading.Event()

    def deaf() -> None:
        gate.wait(TIMEOUT)

    def interrupt_twice() -> None:
        _thread.interrupt_main()
        while not current_task().cancelled:
            cancelled.wait(0.001)
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt), pool.task_group() as group:
        future = group.submit(deaf)
        group.submit(interrupt_twice)
    assert not future.done()
    gate.set()
    assert future.result(TIMEOUT) is None


def test_a_program_ends_by_it() -> None:
    program = """
import os, signal
from mojo_seq import ThreadPool, current_task

def work():
    os.kill(os.getpid(), signal.SIGINT)
    current_task().sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)
with ThreadPool(2) as pool:
    try:
        with pool.task_group() as group:
            future = group.submit(work)
    except KeyboardInterrupt:
        print(future.cancelled())
"""
    command = [sys.executable, "-X", "dev", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.stdout, done.stderr) == ("True\n", "")
