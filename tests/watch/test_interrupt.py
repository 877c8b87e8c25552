"""Ctrl-C ends every blocking call on the main thread (public contract §9)."""

import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

TIMEOUT = 30.0

CHILD = """
import asyncio, signal, threading
import mojo_seq
from mojo_seq import *

# A shell may have started the tests with SIGINT ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
left, right = create_message_pipe()
event = WaitableEvent()
waits = WaitSet()
waits.add_handle(left, Signals.READABLE)
waits.add_event(event)
loop = RunLoop()
release = threading.Event()
pool = ThreadPool(max_workers=1)
runner = pool.create_sequenced_task_runner()

def announce():
    print("blocking", flush=True)

def hold_the_pool():
    started = threading.Event()
    runner.post_task(lambda: (started.set(), release.wait()))
    started.wait()

async def wait_in_a_loop():
    announce()
    return await mojo_seq.aio.wait(left, Signals.READABLE)

try:
    {before}
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
{after}
release.set()
pool.shutdown()
waits.remove_handle(left)
left.close()
right.close()
print("clean", flush=True)
"""

# What blocks, and what must work after it was interrupted.
CASES = {
    "wait": (
        "pass",
        "announce(); wait(left, Signals.READABLE)",
        "right.write(b'x'); assert wait(left, Signals.READABLE)[0] is Result.OK",
    ),
    "wait with a timeout": (
        "pass",
        "announce(); wait(left, Signals.READABLE, 3600)",
        "assert wait(left, Signals.READABLE, 0)[0] is Result.DEADLINE_EXCEEDED",
    ),
    "wait_many": (
        "pass",
        "announce(); wait_many([(left, Signals.READABLE), (right, Signals.READABLE)])",
        "right.write(b'x'); assert wait_many([(left, Signals.READABLE)])[0] is Result.OK",
    ),
    "WaitSet.wait": (
        "pass",
        "announce(); waits.wait()",
        "right.write(b'x'); assert waits.wait().ready[0].handle is left",
    ),
    "WaitSet.wait with a timeout": (
        "pass",
        "announce(); waits.wait(timeout=3600)",
        "event.signal(); assert waits.wait().event is event",
    ),
    "WaitableEvent.wait": (
        "pass",
        "announce(); event.wait()",
        "event.signal(); assert event.wait()",
    ),
    "WaitableEvent.wait with a timeout": (
        "pass",
        "announce(); event.wait(3600)",
        "assert not event.wait(0)",
    ),
    "RunLoop.run": (
        "pass",
        "announce(); loop.run()",
        "loop.task_runner.post_task(loop.quit); loop.run()",
    ),
    "RunLoop.run with a delayed task": (
        "delayed = loop.task_runner.post_delayed_task(3600, print)",
        "announce(); loop.run()",
        "assert delayed.cancel()",
    ),
    "RunLoop.run in the middle of a task": (
        "loop.task_runner.post_task(announce); loop.task_runner.post_task(release.wait)",
        "loop.run()",
        "loop.task_runner.post_task(loop.quit); loop.run()",
    ),
    "ThreadPool.shutdown": (
        "hold_the_pool()",
        "announce(); pool.shutdown()",
        "release.set()",
    ),
    "ThreadPool.shutdown with a timeout": (
        "hold_the_pool()",
        "announce(); pool.shutdown(3600)",
        "release.set()",
    ),
    "Future.result of a task": (
        "future = runner.submit(release.wait)",
        "announce(); future.result()",
        "release.set(); assert future.result(30)",
    ),
    "aio.wait": (
        "pass",
        "asyncio.run(wait_in_a_loop())",
        "right.write(b'x'); assert asyncio.run(wait_in_a_loop())[0] is Result.OK",
    ),
    "aio.wait under trio": (
        "import trio",
        "trio.run(wait_in_a_loop)",
        "right.write(b'x'); assert trio.run(wait_in_a_loop)[0] is Result.OK",
    ),
}
ANNOUNCEMENT = "blocking\n"


def until_asleep(pid: int) -> None:
    """Gives the child's main thread the time to block in its call.

    Not needed for the outcome, a signal that comes before must be answered as well; but without
    it the call under test might never have been entered.
    """
    asleep = 0
    for _ in range(500):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0
        if asleep >= 5:
            return
        threading.Event().wait(0.002)


@pytest.mark.parametrize("case", CASES)
def test_ctrl_c_ends_the_call_with_keyboard_interrupt(case: str) -> None:
    # Public contract §9: waiting releases the GIL and reacts to Ctrl-C; all is usable after it.
    before, call, after = CASES[case]
    script = CHILD.format(before=before, call=call, after=after)
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        assert child.stdout is not None
        assert select.select([child.stdout], [], [], TIMEOUT)[0], "the child did not start"
        first = child.stdout.readline()
        if first:  # else it died; its stderr is shown below
            until_asleep(child.pid)
            child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=TIMEOUT)
    finally:
        child.kill()
        child.wait()
    assert errors == ""
    # The loop of "aio.wait" announces itself once more when it is used again.
    assert first == ANNOUNCEMENT
    assert output.replace(ANNOUNCEMENT, "") == "interrupted\nclean\n"
    assert child.returncode == 0
