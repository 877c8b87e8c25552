"""Objects made by `__new__` alone: no call on them may crash the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

SCRIPT = """
from mojo_seq import AsyncioTaskRunner, _core

cls = AsyncioTaskRunner if {name!r} == "AsyncioTaskRunner" else getattr(_core, {name!r})
made = cls.__new__(cls)
ARGUMENTS = [(), (None,), (1,), (print,), (1, print), (b"x",), ([],), (made,), (made, 1, print)]
SPECIAL = ["__len__", "__bytes__", "__repr__", "__call__", "__enter__", "__iter__", "__aiter__"]
names = [name for name in dir(made) if not name.startswith("__") and name not in ("run", "wait")]
for name in names + SPECIAL:
    for arguments in ARGUMENTS:
        try:
            found = getattr(made, name)
            outcome = found(*arguments) if callable(found) else found
            if hasattr(outcome, "send"):
                outcome.close()
        except Exception:
            continue
for look in (memoryview, bytes, list):
    try:
        look(made)
    except Exception:
        continue
del made
print("end")
"""
CLASSES = [
    "AsyncioTaskRunner",
    "DataPipeConsumerHandle",
    "DataPipeProducerHandle",
    "FdSequence",
    "LoopSequence",
    "Message",
    "MessagePipeHandle",
    "PlatformHandle",
    "PoolSequence",
    "ReadWindow",
    "SharedBufferHandle",
    "SharedBufferMapping",
    "SignalsState",
    "SimpleWatcher",
    "TaskHandle",
    "TaskSequence",
    "WaitSet",
    "WaitableEvent",
    "Watcher",
    "WriteWindow",
    "_BoundTask",
    "_ForeignNotification",
    "_LazyObject",
    "_PayloadView",
    "_WakeupDescriptor",
]


@pytest.mark.parametrize("name", CLASSES)
def test_no_call_on_it_crashes(run_python: Callable[..., Any], name: str) -> None:
    """A clear error or a harmless answer, whatever is called with whatever."""
    done = run_python(SCRIPT.format(name=name))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "end\n"
