"""When the machine has no more to give: RESOURCE_EXHAUSTED, and all that was there still works.

Limits of a process are lowered for good, so each case is a program of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

RunPython = Callable[..., subprocess.CompletedProcess[str]]

PRELUDE = """
import gc, os, resource
from mojo_seq import *
from mojo_seq import _core

def limit(what, value):
    resource.setrlimit(what, (value, resource.getrlimit(what)[1]))

def until_exhausted(call):
    kept = []
    for _ in range(10_000):
        try: kept.append(call())
        except ResourceExhaustedError: return kept
    raise AssertionError("no limit was met")

def close_all(kept):
    for each in kept:
        for handle in each if isinstance(each, tuple) else (each,):
            handle.close()
"""

# Made with a descriptor each: none left is RESOURCE_EXHAUSTED, one given back is enough to go on.
DESCRIPTORS = {
    "data pipe": "create_data_pipe",
    "shared buffer": "lambda: create_shared_buffer(10)",
    "read-only duplicate": "lambda: shared.duplicate(read_only=True)",
}


def run(run_python: RunPython, source: str) -> None:
    done = run_python(PRELUDE + source + "\nprint('end')", "-W", "error")
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("end\n", "")


@pytest.mark.parametrize("make", DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_no_descriptor_left(run_python: RunPython, make: str) -> None:
    """System rules §5.1, §6: the failing call leaks nothing, and it works again when it can."""
    source = f"""
shared = create_shared_buffer(10)
make = {make}
close_all([make()])  # whatever is imported or opened on first use
before = len(os.listdir("/proc/self/fd"))
limit(resource.RLIMIT_NOFILE, 40)
kept = until_exhausted(make)
alive = _core.live_objects()
for _ in range(5):
    try: make()
    except ResourceExhaustedError: continue
    raise AssertionError("more than before")
assert _core.live_objects() == alive
close_all([kept.pop()])
kept.append(make())
close_all(kept)
assert len(os.listdir("/proc/self/fd")) == before
shared.close()
"""
    run(run_python, source)


def test_message_pipes_need_no_descriptor(run_python: RunPython) -> None:
    """In one process a message pipe is memory only."""
    source = """
limit(resource.RLIMIT_NOFILE, 10)
kept = [create_message_pipe() for _ in range(1000)]
kept[0].handle0.write(b"x", [kept[1].handle0])
with kept[0].handle1.read() as message: assert bytes(message) == b"x"
close_all(kept)
"""
    run(run_python, source)


SIZES = {
    "map": "shared.map",
    "array": "lambda: shared.as_array('B')",
    "data pipe": "lambda: create_data_pipe(2**28)",
    "allocated message": "lambda: Message.allocate(2**28)",
    "message": "lambda: Message(payload)",
    "write": "lambda: a.write(payload)",
    "batch": "lambda: a.write_batch([b'x', payload])",
    "extend": "lambda: message.extend(2**28)",
}


@pytest.mark.parametrize("call", SIZES.values(), ids=SIZES)
def test_no_memory_left(run_python: RunPython, call: str) -> None:
    """System rules §3, §6: RESOURCE_EXHAUSTED, not MemoryError; nothing is lost or half done."""
    source = f"""
import numpy as np
a, b = create_message_pipe()
payload = bytearray(2**28)
shared = create_shared_buffer(2**28)
message = Message(b"kept")
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
alive = _core.live_objects()
limit(resource.RLIMIT_AS, used + 2**26)
try: ({call})()
except ResourceExhaustedError: pass
else: raise AssertionError("there was enough")
assert _core.live_objects() == alive, (alive, _core.live_objects())
assert bytes(message) == b"kept"
assert not b.query_signals_state().readable
payload.clear()
message.close(), shared.close(), a.close(), b.close()
"""
    run(run_python, source)
