"""Views kept after their memory's end, in every way, by every kind of view: never a crash.

numpy's `ndarray(buffer=...)` keeps a reference but no buffer export, so counting exports does not
protect it; memory under a live view must never be unmapped (public contract §4, §5). Each case runs
in its own interpreter, since what a failure would show is a dead process.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

RunPython = Callable[..., subprocess.CompletedProcess[str]]

# Makes each kind of view in turn, brings the memory to its end, and then uses the view.
# `subject` is a tuple: (what the view is of, what has to be closed, ...). An end may be refused by
# a BufferError; then the view must still work, and the end must work once the view is dropped.
PRELUDE = """\
import gc, sys
import numpy as np
from mojo_seq import *

VIEWS = {
    "memoryview": memoryview,
    "asarray": lambda m: np.asarray(m),
    "frombuffer": lambda m: np.frombuffer(m, np.uint8),
    "ndarray": lambda m: np.ndarray((SIZE,), np.uint8, buffer=m),
    "ndarray of view": lambda m: np.ndarray((SIZE,), np.uint8, buffer=memoryview(m)),
    "slice": lambda m: np.asarray(m)[1:-1],
    "as_array": lambda m: m.as_array(np.uint8) if hasattr(m, "as_array") else np.asarray(m),
}

def use(view):
    view[0], view[-1], bytes(view), view[:3]
    writable = not view.readonly if isinstance(view, memoryview) else view.flags.writeable
    if writable:
        view[0] = 1
        view[-1] = 2
        view[:] = bytes(len(view)) if isinstance(view, memoryview) else 0

def churn():
    # What was given back would be given out again: make crashes and mix-ups likelier.
    for _ in range(20):
        with create_shared_buffer(SIZE) as other, other.map() as mapping:
            memoryview(mapping)[:] = b"!" * SIZE
        producer, consumer = create_data_pipe(SIZE)
        producer.write(b"?" * SIZE)
        producer.close(), consumer.close()

def check(make, end, finish):
    for name, view_of in VIEWS.items():
        print(name, flush=True)
        subject = make()
        view = view_of(subject[0])
        if isinstance(subject[0], memoryview):  # it would stand in the way itself
            subject = (None, *subject[1:])
        try:
            subject = end(subject)
            refused = False
        except BufferError:
            refused = True
        gc.collect()
        churn()
        use(view)
        del view
        gc.collect()
        if refused:
            end(subject)
        if subject is not None:
            finish(subject)
        del subject
        gc.collect()
    print("done")
"""

WINDOW = """
SIZE = 5000
def make():
    producer, consumer = create_data_pipe(SIZE)
    if {reading}:
        producer.write(bytes(SIZE))
        return consumer.begin_read(), consumer, producer
    return producer.begin_write(), producer, consumer

def finish(subject):
    for handle in subject[1:]:
        handle.close()

def commit(subject):
    subject[0].consume(2) if {reading} else subject[0].commit(2)
    return subject

def end_by_handle(subject):
    subject[1].end_read(2) if {reading} else subject[1].end_write(2)
    return subject

def leave(subject):
    with subject[0]:
        pass
    return subject

def raise_inside(subject):
    try:
        with subject[0]:
            raise KeyError
    except KeyError:
        return subject

def bad_amount(subject):
    try:
        (subject[0].consume if {reading} else subject[0].commit)(10 ** 6)
    except InvalidArgumentError:
        return subject

def close(subject):
    subject[1].close()
    return subject

def close_both(subject):
    subject[2].close()
    subject[1].close()
    return subject

def close_and_drop(subject):
    subject[1].close()
    subject[2].close()
    return None

def drop_open(subject):
    import warnings
    warnings.simplefilter("ignore", ResourceWarning)
    return None

def send_after_commit(subject):
    commit(subject)
    a, b = create_message_pipe()
    a.write(b"", [subject[1], subject[2]])
    a.close(), b.close()
    return subject

check(make, {end}, finish)
"""

WINDOW_ENDS = [
    "commit",
    "end_by_handle",
    "leave",
    "raise_inside",
    "bad_amount",
    "close",
    "close_both",
    "close_and_drop",
    "drop_open",
    "send_after_commit",
]

MAPPING = """
SIZE = 5000
def make():
    handle = create_shared_buffer(SIZE + 100)
    if {read_only}:
        with handle:
            handle = handle.duplicate(read_only=True)
    return handle.map({offset}, SIZE), handle

def finish(subject):
    subject[1].close()

def unmap(subject):
    subject[0].unmap()
    return subject

def leave(subject):
    with subject[0]:
        pass
    return subject

def close(subject):
    subject[1].close()
    return subject

def close_and_drop(subject):
    subject[1].close()
    return None

def unmap_and_drop(subject):
    subject[0].unmap()
    subject[1].close()
    return None

check(make, {end}, finish)
"""

PAYLOAD = """
SIZE = 5000
def make():
    a, b = create_message_pipe()
    if {received}:
        a.write(b"x" * SIZE)
        message = b.read()
    else:
        message = Message.allocate(SIZE)
    return message.payload, message, a, b

def finish(subject):
    for each in subject[1:]:
        each.close()

def close(subject):
    subject[1].close()
    return subject

def drop_message(subject):
    finish(subject)
    return None

def write(subject):
    subject[2].write_message(subject[1])
    return subject

def write_and_lose(subject):
    subject[2].write_message(subject[1])
    finish(subject)
    return None

def extend(subject):
    try:
        subject[1].extend(10 ** 6)
    except FailedPreconditionError:  # a received one cannot grow
        assert {received}
    return subject

def take_handles(subject):
    subject[1].take_handles()
    return subject

check(make, {end}, finish)
"""


def run_case(run_python: RunPython, source: str, **values: object) -> None:
    """Run it, and say which kind of view it died of."""
    for name, value in values.items():
        source = source.replace("{" + name + "}", str(value))
    done = run_python(PRELUDE + source, "-W", "error")
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("done\n")
    assert done.stderr == ""


@pytest.mark.parametrize("end", WINDOW_ENDS)
@pytest.mark.parametrize("reading", [False, True], ids=["write", "read"])
def test_views_of_windows(run_python: RunPython, end: str, reading: bool) -> None:
    """Public contract §4: ending under a view is refused, or the view stays good."""
    run_case(run_python, WINDOW, end=end, reading=reading)


@pytest.mark.parametrize("end", ["unmap", "leave", "close", "close_and_drop", "unmap_and_drop"])
@pytest.mark.parametrize("read_only", [False, True], ids=["writable", "read-only"])
@pytest.mark.parametrize("offset", [0, 50])
def test_views_of_mappings(run_python: RunPython, end: str, read_only: bool, offset: int) -> None:
    """Public contract §5: no way of making an array may leave it pointing at unmapped memory."""
    run_case(run_python, MAPPING, end=end, read_only=read_only, offset=offset)


@pytest.mark.parametrize(
    "end", ["close", "drop_message", "write", "write_and_lose", "extend", "take_handles"]
)
@pytest.mark.parametrize("received", [False, True], ids=["allocated", "received"])
def test_views_of_payloads(run_python: RunPython, end: str, received: bool) -> None:
    """Public contract §3: a view on the payload keeps it alive."""
    run_case(run_python, PAYLOAD, end=end, received=received)
