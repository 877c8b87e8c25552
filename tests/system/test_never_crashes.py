"""User code that raises, re-enters, or leaves everything open when the interpreter goes.

Each case is a program of its own: what a failure would show is a dead or hanging process.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

RunPython = Callable[..., subprocess.CompletedProcess[str]]

PRELUDE = "import contextlib, gc, os, sys, threading\nfrom mojo_seq import *\n"


def run(run_python: RunPython, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program; whatever it printed, it must have ended by itself and in peace."""
    done = run_python(PRELUDE + source, *options)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Fatal" not in done.stderr
    return done


# ---- interpreter exit with things open (public contract §2; the program's order of destruction is
# nobody's choice: module globals, then what is left)

OPEN_THINGS = {
    "pipes": "a, b = create_message_pipe(); a.write(b'x' * 100000)",
    "nested pipes": "a, b = create_message_pipe(); a.write(b'', [*create_message_pipe()])",
    "data pipe": "p, c = create_data_pipe(); p.write(b'x')",
    "windows": "p, c = create_data_pipe(); p.write(b'x'); w, r = p.begin_write(), c.begin_read()",
    "views of windows": "p, c = create_data_pipe(); w = p.begin_write(); m = memoryview(w)",
    "mapping": "s = create_shared_buffer(100); m = s.map(); v = memoryview(m)",
    "arrays": "import numpy as np; s = create_shared_buffer(80); x = s.as_array(np.int64)",
    "window array": "p, c = create_data_pipe(); x = p.begin_write().as_array('B')",
    "bare ndarray": "import numpy as np; m = create_shared_buffer(80).map();"
    " x = np.ndarray(80, 'B', buffer=m)",
    "platform handle": "h = wrap_fd(os.open('/dev/null', os.O_RDONLY))",
    "message": "m = Message(b'x', create_message_pipe())",
    "allocated message": "m = Message.allocate(10); v = m.payload",
    "context": "m = Message.from_object(object())",
    "queued context": "a, b = create_message_pipe(); a.write_message(Message.from_object(a))",
    "error": "a, b = create_message_pipe()\ntry: a.read()\nexcept ShouldWaitError as e: err = e",
}


@pytest.mark.parametrize("source", OPEN_THINGS.values(), ids=OPEN_THINGS)
@pytest.mark.parametrize("way", ["end", "sys.exit", "in a thread", "in a cycle", "in a module"])
def test_exit_with_things_open(run_python: RunPython, source: str, way: str) -> None:
    """Interpreter exit closes what is open; at most it warns."""
    indented = source.replace("\n", "\n    ")
    programs = {
        "end": source,
        "sys.exit": source + "\nsys.exit(0)",
        "in a thread": f"def f():\n    {indented}\n    kept.append(locals())\nkept = []\n"
        "t = threading.Thread(target=f); t.start(); t.join()",
        "in a cycle": f"def f():\n    {indented}\n    kept = [locals()]; kept.append(kept)\nf()",
        "in a module": f"def f():\n    {indented}\n    sys.mojo_kept = locals()\nf()",
    }
    done = run(run_python, programs[way] + "\nprint('end')", "-W", "ignore::ResourceWarning")
    assert done.stdout == ("" if way == "sys.exit" else "end\n")
    assert done.stderr == ""


def test_exit_in_a_destructor_that_uses_the_library(run_python: RunPython) -> None:
    """Destructors run late, when modules are half gone."""
    source = """
class Late:
    def __init__(self): self.a, self.b = create_message_pipe()
    def __del__(self):
        self.a.write(b"late"); self.b.read().close(); self.a.close(); self.b.close()
sys.late = Late()
late = Late(); late.itself = late
"""
    assert run(run_python, source).stderr == ""


def test_contexts_queued_at_exit_are_released(run_python: RunPython) -> None:
    """System rules §2: closing the pipe ends its contexts, also when the interpreter ends."""
    source = """
class Thing:
    def __del__(self): print("released", flush=True)
a, b = create_message_pipe()
a.write_message(Message.from_object(Thing()))
"""
    done = run(run_python, source, "-W", "ignore::ResourceWarning")
    assert done.stdout == "released\n"


# ---- destructors and serializers that raise or re-enter

RAISING = """
class Thing:
    def __del__(self): raise ZeroDivisionError("from the destructor")
caught = []
sys.unraisablehook = lambda args: caught.append(args.exc_type)
a, b = create_message_pipe()
for _ in range(3):
    a.write_message(Message.from_object(Thing()))
"""

RELEASES = {
    "close": "b.close()",
    "read and close": "\nfor m in b.read_batch(): m.close()\ndel m",
    "read and drop": "\nb.read_batch()",
    "take": "\nfor m in b.read_batch(): m.take_context()\ndel m",
    "drop": "\nimport warnings\nwarnings.simplefilter('ignore')\na.close()\ndel b",
    "close in a thread": "t = threading.Thread(target=b.close); t.start(); t.join()",
    "close the carrier": "c, d = create_message_pipe(); c.write(b'', [b]); c.close(); d.close()",
}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_destructors_that_raise(run_python: RunPython, release: str) -> None:
    """Reported by Python's own hook, each of them; the call that caused them works."""
    tail = (
        "\ngc.collect()\nassert caught == [ZeroDivisionError] * 3, caught\na.close()\nprint('end')"
    )
    assert run(run_python, RAISING + release + tail).stdout == "end\n"


REENTRANT = """
class Thing:
    def __init__(self, act): self.act = act
    def __del__(self): self.act()
a, b = create_message_pipe()
c, d = create_message_pipe()
def refused(call):
    with contextlib.suppress(MojoError):
        call()
"""

REENTRIES = {
    "close the same end": "b.close",
    "close the peer": "a.close",
    "read the same end": "lambda: refused(b.read)",
    "write to the same pipe": "lambda: refused(lambda: a.write(b'x'))",
    "write to another pipe": "lambda: c.write(b'x')",
    "send the peer away": "lambda: refused(lambda: c.write(b'', [a]))",
    "query": "lambda: (refused(b.query_signals_state), a.query_signals_state())",
    "collect garbage": "gc.collect",
    "make another": "lambda: [h.close() for h in create_message_pipe()]",
    "queue another": "lambda: c.write_message(Message.from_object(Thing(d.close)))",
}


@pytest.mark.parametrize("act", REENTRIES.values(), ids=REENTRIES)
@pytest.mark.parametrize("release", ["b.close()", "b.read().close()", "b.read_batch(1)"])
def test_destructors_that_re_enter(run_python: RunPython, act: str, release: str) -> None:
    """No user code runs under a lock: a destructor may call anything."""
    source = f"""
a.write_message(Message.from_object(Thing({act})))
a.write_message(Message.from_object(Thing({act})))
{release}
for h in (a, b, c, d): h.close()
gc.collect()
print("end")
"""
    assert run(run_python, REENTRANT + source).stdout == "end\n"


SERIALIZERS = {
    "closes the message": "lambda obj: m.close() or b'x'",
    "serializes the message": "lambda obj: m.serialize() or b'x'",
    "takes the context": "lambda obj: m.take_context() and b'x'",
    "writes the message": "lambda obj: a.write_message(m) or b'x'",
    "closes the pipe": "lambda obj: a.close() or b'x'",
    "closes the handle it returns": "lambda obj: (b.close() or b'x', [b])",
    "returns a buffer of the message": "lambda obj: (b'x', [c, c])",
    "collects": "lambda obj: gc.collect() and b'x' or b'x'",
    "raises": "lambda obj: 1 / 0",
}


@pytest.mark.parametrize("serializer", SERIALIZERS.values(), ids=SERIALIZERS)
def test_serializers_that_re_enter(run_python: RunPython, serializer: str) -> None:
    """A serializer runs user code in the middle of a call; the message survives it or says no."""
    source = f"""
m = Message.from_object(object(), {serializer})
try: m.serialize()
except (MojoError, ZeroDivisionError, RecursionError) as e: print(type(e).__name__)
m.close()
for h in (a, b, c, d): h.close()
gc.collect()
print("end")
"""
    assert run(run_python, REENTRANT + source).stdout.endswith("end\n")


# ---- odd callers


def test_every_type_survives_being_made_without_init(run_python: RunPython) -> None:
    """`__new__` behind the library's back: refused, or an object that refuses."""
    source = """
for cls in (Handle, MessagePipeHandle, DataPipeProducerHandle, DataPipeConsumerHandle,
            SharedBufferHandle, PlatformHandle, Watcher, Message, WriteWindow, ReadWindow,
            SharedBufferMapping):
    try:
        thing = cls.__new__(cls)
    except TypeError:
        continue
    for name in dir(thing):
        if name in ("__class__", "__reduce__", "__reduce_ex__"):
            continue
        with contextlib.suppress(Exception):
            value = getattr(thing, name)
            if callable(value): value()
    with contextlib.suppress(TypeError, BufferError, ValueError):
        memoryview(thing)
    repr(thing)
    del thing
gc.collect()
print("end")
"""
    done = run(run_python, source, "-W", "ignore::ResourceWarning")
    assert done.stdout == "end\n"


def test_init_called_again_is_survived(run_python: RunPython) -> None:
    """`__init__` a second time must not leave the first payload dangling."""
    source = """
m = Message.allocate(100)
v = m.payload
for args in ((b"y" * 10,), (), (b"", create_message_pipe())):
    with contextlib.suppress(TypeError, MojoError, BufferError):
        m.__init__(*args)
v[0] = 1
del v
m.close()
gc.collect()
print("end")
"""
    done = run(run_python, source, "-W", "ignore::ResourceWarning")
    assert done.stdout == "end\n"


def test_descriptors_closed_behind_our_back(run_python: RunPython) -> None:
    """Somebody closes a descriptor that a handle owns: an error at most."""
    source = """
fd = os.open("/dev/null", os.O_RDONLY)
h = wrap_fd(fd)
os.close(fd)
h.close()
m = create_shared_buffer(100).unwrap()
h = wrap_shared_memory(m.fd, 100)
for fd in range(3, 64):
    with contextlib.suppress(OSError):
        os.close(fd)
for call in (h.map, h.duplicate, lambda: h.duplicate(read_only=True)):
    with contextlib.suppress(MojoError, OSError):
        call()
h.close()
print("end")
"""
    assert run(run_python, source).stdout.endswith("end\n")
