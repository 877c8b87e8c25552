"""What a process holds on to: engine objects, threads, descriptors, mappings, children."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mojo_seq import MessagePipeHandle, Signals, Watcher, _core, create_message_pipe, wait

SETTLING = 5.0
RING = "memfd:mojo_seq ring"  # a pipe's that is in use, for as long as it is: nobody's to give back


def leave() -> dict[str, Any]:
    """Told to a puppet as the last thing: it closes all it keeps and returns what is left."""
    raise AssertionError("its stage does this")


def holdings() -> Counter[tuple[str, str]]:
    """How many there are of each kind of thing."""
    gc.collect()
    _core.release_cached_memory()
    found = Counter[tuple[str, str]]()
    for kind, count in _core.live_objects().items():
        found["engine object", kind] = count
    found.update(("thread", thread.name) for thread in threading.enumerate())
    for task in Path("/proc/self/task").iterdir():
        found["native thread", _text(task / "comm")] += 1
        for child in _text(task / "children").split():
            found["child", child] += 1
    found.update(("descriptor", name) for name in _descriptors() if RING not in name)
    found.update(("mapping", name) for name in _shared_mappings() if RING not in name)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return "ended meanwhile"


def _descriptors() -> Iterator[str]:
    for fd in os.listdir("/proc/self/fd"):
        try:
            yield f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}"
        except FileNotFoundError:
            continue  # the descriptor of the listing itself


def _shared_mappings() -> Iterator[str]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "memfd:" in line or "/dev/shm" in line:
            yield line.split(maxsplit=5)[5]


def more_than(before: Counter[tuple[str, str]]) -> dict[str, int]:
    """What there is more of than before, once what ends by itself has ended.

    A closed pipe, for one, lives on until the other process has taken what was written to it.
    """
    deadline = time.monotonic() + SETTLING
    while True:
        more = holdings() - before
        if not more or time.monotonic() > deadline:
            return {f"{kind} {name}": count for (kind, name), count in more.items()}
        time.sleep(0.005)


def warm_up() -> None:
    """Uses everything once, so that what a process has only one of is there from now on."""
    import socket

    for_reading, for_writing = socket.socketpair()
    a = _core.adopt_socket(for_reading.detach())
    b = _core.adopt_socket(for_writing.detach())
    _notice_closing(a, b)


def _notice_closing(a: MessagePipeHandle, b: MessagePipeHandle) -> None:
    noticed = threading.Event()
    inner = create_message_pipe()
    with a, b, Watcher(lambda *_: noticed.set()) as watcher:
        watcher.watch(a, Signals.READABLE, 0)
        assert watcher.arm() == []
        wait(b, Signals.READABLE, 0.001)
        b.write(bytes(1 << 20), inner)  # in a segment, with handles
        assert noticed.wait(SETTLING)
        a.read().close()
