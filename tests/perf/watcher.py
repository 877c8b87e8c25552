"""Armed watcher: what a write costs more when a SimpleWatcher on a busy sequence reports it.

A sequence that always has a next task writes a message in each; the message is read in the same
task, or in the callback of a watcher on the sequence. The difference of the processor time of the
whole process is the watcher's: noticing, posting, running the callback and arming again. Nobody
sleeps, so no wake-up is in it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from statistics import median

from harness import Measure, main
from verdict import Target

from mojo_seq import (
    Result,
    RunLoop,
    Signals,
    SignalsState,
    SimpleWatcher,
    create_message_pipe,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import BLOCKS, Scale

PAYLOAD = b"x" * 64


def added_microseconds(scale: Scale, processor_seconds: Callable[[int, bool], float]) -> float:
    """Difference per write of `processor_seconds(n, watched)`, taken in turns."""
    n = scale.n(20_000)
    for watched in (False, True):
        processor_seconds(max(1, n // 10), watched)
    plain: list[float] = []
    watching: list[float] = []
    for _ in range(BLOCKS):
        plain.append(processor_seconds(n, False))
        watching.append(processor_seconds(n, True))
    return (median(watching) - median(plain)) / n * 1e6


def run_loop(n: int, watched: bool) -> float:
    loop = RunLoop()
    post = loop.task_runner.post_task
    near, far = create_message_pipe()
    left = n
    reported = 0

    def step() -> None:
        nonlocal left
        if left == 0:
            loop.quit()
            return
        left -= 1
        near.write(PAYLOAD)
        if not watched:
            far.read()
        post(step)

    def readable(_result: Result, _state: SignalsState) -> None:
        nonlocal reported
        reported += 1
        far.read()

    def start() -> None:
        if watched:
            watcher.watch(far, Signals.READABLE, readable)
        step()

    with near, far:
        watcher = SimpleWatcher(task_runner=loop.task_runner)
        post(start)
        before = time.process_time()
        loop.run()
        spent = time.process_time() - before
        watcher.close()
    if reported != (n if watched else 0):
        raise AssertionError(f"{n} messages were reported {reported} times")
    return spent


def event_loop(loop: asyncio.AbstractEventLoop, n: int, watched: bool) -> float:
    """The peers: a datagram on a socket that the event loop watches."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left = n
    reported = 0

    def step() -> None:
        nonlocal left
        if left == 0:
            # An event loop looks at its descriptors between rounds, so one may be outstanding.
            if reported in (0, n):
                loop.stop()
            else:
                loop.call_soon(step)
            return
        left -= 1
        near.send(PAYLOAD)
        if not watched:
            far.recv(64)
        loop.call_soon(step)

    def readable() -> None:
        nonlocal reported
        reported += 1
        far.recv(64)

    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        if watched:
            loop.add_reader(far, readable)
        loop.call_soon(step)
        before = time.process_time()
        loop.run_forever()
        spent = time.process_time() - before
        loop.remove_reader(far)
    if reported != (n if watched else 0):
        raise AssertionError(f"{n} messages were reported {reported} times")
    return spent


def on_event_loop(scale: Scale, loop: asyncio.AbstractEventLoop) -> float:
    try:
        return added_microseconds(scale, lambda n, watched: event_loop(loop, n, watched))
    finally:
        loop.close()


def simple_watcher(scale: Scale) -> float:
    return added_microseconds(scale, run_loop)


def asyncio_reader(scale: Scale) -> float:
    return on_event_loop(scale, asyncio.new_event_loop())


def uvloop_reader(scale: Scale) -> float:
    import uvloop

    return on_event_loop(scale, uvloop.new_event_loop())


MEASURES = (
    Measure(
        "armed watcher: write to callback on a busy sequence, processor time added",
        "us",
        (
            Contender("mojo_seq SimpleWatcher", simple_watcher),
            Contender("asyncio add_reader", asyncio_reader),
            Contender("uvloop add_reader", uvloop_reader, requires="uvloop"),
        ),
        (Target.at_most("mojo_seq SimpleWatcher", 2, "us"),),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
