"""Reference cycles through contexts and serializers are collected; deep nests come down safely."""

from __future__ import annotations

import functools
import gc
import subprocess
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import Message, MessagePipe, MessagePipeHandle, create_message_pipe

RunPython = Callable[..., subprocess.CompletedProcess[str]]


class Node:
    """Something that can be in a cycle, and be seen to die."""

    other: Any = None


def as_nothing(*_: object) -> bytes:
    return b""


# ---- cycles


def test_message_in_its_own_context() -> None:
    """node -> message -> node."""
    node = Node()
    dead = weakref.ref(node)
    node.other = Message.from_object(node)
    del node
    gc.collect()
    assert dead() is None


def test_message_in_its_own_serializer() -> None:
    """serializer -> node -> message -> serializer."""
    node = Node()
    dead = weakref.ref(node)
    node.other = Message.from_object(1, functools.partial(as_nothing, node))
    del node
    gc.collect()
    assert dead() is None


def test_two_messages_in_each_others_contexts() -> None:
    """Longer cycles are cycles too."""
    one, two = Node(), Node()
    dead = weakref.ref(one)
    one.other, two.other = Message.from_object(two), Message.from_object(one)
    del one, two
    gc.collect()
    assert dead() is None


@pytest.mark.parametrize("writer_open", [False, True])
def test_pipe_end_in_a_context_queued_at_itself(writer_open: bool) -> None:
    """node -> handle -> queue -> node: only unread messages hold it together."""
    a, b = create_message_pipe()
    node = Node()
    dead = weakref.ref(node)
    node.other = b
    a.write_message(Message.from_object(node))
    if not writer_open:
        a.close()
    with warnings.catch_warnings():  # it is garbage-collected open, which is worth a warning
        warnings.simplefilter("ignore", ResourceWarning)
        del node, b
        gc.collect()
    assert dead() is None
    a.close()


def test_queued_context_that_is_still_reachable_is_kept(pipe: MessagePipe) -> None:
    """The collector must not take a message that somebody can still read."""
    node = Node()
    alive = weakref.ref(node)
    node.other = node
    pipe.handle0.write_message(Message.from_object(node))
    del node
    gc.collect()
    assert alive() is not None
    with pipe.handle1.read() as message:
        assert message.context is alive()


def test_context_in_a_pipe_in_transit_is_kept(pipe: MessagePipe) -> None:
    """Nobody has the handle, but it can be had by reading."""
    a, b = create_message_pipe()
    node = Node()
    alive = weakref.ref(node)
    a.write_message(Message.from_object(node))
    pipe.handle0.write(b"", [b])
    del node
    gc.collect()
    assert alive() is not None
    with a, pipe.handle1.read() as outer:
        (received,) = outer.handles
        assert isinstance(received, MessagePipeHandle)
        with received.read() as inner:
            assert inner.context is alive()
    gc.collect()
    assert alive() is None


def test_cycle_through_two_pipes() -> None:
    """Each context holds the end at which the other one is queued."""
    (a, b), (c, d) = create_message_pipe(), create_message_pipe()
    one, two = Node(), Node()
    dead = weakref.ref(one)
    one.other, two.other = d, b
    a.write_message(Message.from_object(one))  # queued at b, holds d
    c.write_message(Message.from_object(two))  # queued at d, holds b
    a.close()
    c.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del one, two, b, d
        gc.collect()
    assert dead() is None


def test_view_in_a_cycle_with_its_mapping(run_python: RunPython) -> None:
    """A cycle is cleared in any order: the view may go before the mapping, or after."""
    source = """\
        import gc
        import numpy as np
        from mojo_seq import create_data_pipe, create_shared_buffer

        class Node: pass

        for _ in range(50):
            node = Node()
            node.mapping = create_shared_buffer(5000).map()
            node.views = [memoryview(node.mapping), np.ndarray(5000, "B", buffer=node.mapping)]
            node.pipe = create_data_pipe(5000)
            node.window = node.pipe.producer.begin_write()
            node.more = [node.window.as_array("B"), np.ndarray(5000, "B", buffer=node.window)]
            node.itself = node
            del node
            gc.collect()
        print("end")
        """
    done = run_python(source, "-W", "ignore::ResourceWarning")
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("end\n", "")


# ---- depth

NESTS = {
    # Each pipe's end travels in a message of the next pipe.
    "pipes": """
inner = create_message_pipe().handle0
for _ in range(DEPTH):
    a, b = create_message_pipe()
    a.write(b"", [inner])
    a.close()
    inner = b
top = inner
""",
    # Each message's handles hold the next pipe; every message was read once.
    "read messages": """
top = Message(b"bottom")
for _ in range(DEPTH):
    a, b = create_message_pipe()
    a.write_message(top)
    a.close()
    top = Message(b"", [b])
""",
    # An object holds a pipe whose queue holds an object that holds a pipe ...
    "contexts through pipes": """
class Node:
    def __init__(self, other): self.other = other
top = None
for _ in range(DEPTH):
    a, b = create_message_pipe()
    a.write_message(Message.from_object(Node(top)))
    a.close()
    top = b
""",
    "contexts through messages": """
top = None
for _ in range(DEPTH):
    top = Message.from_object(top)
""",
    "serializers through messages": """
top = None
for _ in range(DEPTH):
    top = Message.from_object(1, lambda obj, top=top: b"")
""",
}

DROPS = {
    "close": "top.close()",
    "drop": "del top, a, b, inner\ngc.collect()",
    "collect": "cycle = [top]; cycle.append(cycle)\ndel top, a, b, inner, cycle\ngc.collect()",
    "exit": "",
}


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
@pytest.mark.parametrize("drop", DROPS.values(), ids=DROPS)
@pytest.mark.parametrize("where", ["main thread", "small thread"])
def test_deep_nest_comes_down(run_python: RunPython, nest: str, drop: str, where: str) -> None:
    """10,000 deep: by a work-list, not by recursion, also on a thread with a small stack."""
    body = "a = b = inner = None\n" + nest + drop
    indented = "\n".join("    " + line for line in body.splitlines())
    source = "import gc, threading\nfrom mojo_seq import *\nDEPTH = 10_000\n"
    if where == "main thread":
        source += body
    else:
        source += f"def work():\n{indented}\nthreading.stack_size(512 * 1024)\n"
        source += "thread = threading.Thread(target=work)\nthread.start()\nthread.join()"
    done = run_python(source + "\nprint('end')", "-W", "ignore::ResourceWarning")
    assert done.returncode == 0, f"{done.returncode}\n{done.stderr}"
    assert (done.stdout, done.stderr) == ("end\n", "")


def test_deep_nest_can_be_unpacked() -> None:
    """And what is nested that deep is all there."""
    bottom, carried = create_message_pipe()
    for depth in range(10_000):
        a, b = create_message_pipe()
        a.write(depth.to_bytes(2, "big"), [carried])
        a.close()
        carried = b
    for depth in reversed(range(10_000)):
        with carried, carried.read() as message:
            assert bytes(message) == depth.to_bytes(2, "big")
            (inner,) = message.take_handles()
        assert isinstance(inner, MessagePipeHandle)
        carried = inner
    bottom.write(b"top")
    assert bytes(carried.read()) == b"top"
    bottom.close()
    carried.close()
