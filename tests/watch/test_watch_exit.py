"""The interpreter ends while something is watched or waited for (public contract §7, §9)."""

import subprocess
import sys
import textwrap

import pytest

TIMEOUT = 40.0

PRELUDE = """
import atexit, gc, sys, threading, warnings
from mojo_seq import *
warnings.simplefilter("ignore", ResourceWarning)  # everything is left open on purpose
left, right = create_message_pipe()
"""

CASES = {
    "daemon threads wait for a handle": """
        started = threading.Barrier(5)
        def body():
            started.wait()
            wait(left, Signals.READABLE)
        for _ in range(4):
            threading.Thread(target=body, daemon=True).start()
        started.wait()
    """,
    "a daemon thread waits for many handles": """
        pipes = [create_message_pipe() for _ in range(100)]
        started = threading.Event()
        def body():
            started.set()
            wait_many([(pipe.handle0, Signals.READABLE) for pipe in pipes])
        threading.Thread(target=body, daemon=True).start()
        started.wait()
    """,
    "a daemon thread waits in a wait set": """
        waits = WaitSet()
        waits.add_handle(left, Signals.READABLE)
        waits.add_event(WaitableEvent())
        started = threading.Event()
        def body():
            started.set()
            waits.wait()
        threading.Thread(target=body, daemon=True).start()
        started.wait()
    """,
    "a daemon thread waits for an event": """
        event = WaitableEvent()
        started = threading.Event()
        def body():
            started.set()
            event.wait()
        threading.Thread(target=body, daemon=True).start()
        started.wait()
    """,
    "an armed watcher is left": """
        watcher = Watcher(lambda *notification: None)
        watcher.watch(left, Signals.READABLE, "in")
        watcher.arm()
    """,
    "a watcher with a callback that raises is left": """
        def callback(*notification):
            raise RuntimeError("told at exit")
        watcher = Watcher(callback)
        watcher.watch(left, Signals.READABLE, "in")
        watcher.arm()
    """,
    "watcher, handles and callback are one cycle": """
        class Owner:
            def __init__(self):
                self.pipe = create_message_pipe()
                self.watcher = Watcher(self.callback)
                self.watcher.watch(self.pipe.handle0, Signals.READABLE, self)
                self.watcher.arm()
            def callback(self, *notification):
                self.seen = notification
        owners = [Owner() for _ in range(100)]
    """,
    "an event comes in an exit handler": """
        watcher = Watcher(lambda context, result, *rest: seen.append(result))
        seen = []
        watcher.watch(left, Signals.READABLE, "in")
        watcher.arm()
        def late():
            right.write(b"x")
            assert seen == [Result.OK], seen
        atexit.register(late)
    """,
    "threads write while the interpreter goes down": """
        watcher = Watcher(lambda *notification: left.read_batch() and watcher.arm())
        watcher.watch(left, Signals.READABLE, "in")
        watcher.arm()
        started = threading.Barrier(5)
        def body():
            started.wait()
            while True:
                right.write(b"x")
        for _ in range(4):
            threading.Thread(target=body, daemon=True).start()
        started.wait()
    """,
    "a callback is running on another thread": """
        inside = threading.Event()
        def callback(*notification):
            inside.set()
            threading.Event().wait()
        watcher = Watcher(callback)
        watcher.watch(left, Signals.READABLE, "in")
        watcher.arm()
        threading.Thread(target=right.write, args=(b"x",), daemon=True).start()
        inside.wait()
    """,
    "a simple watcher has a callback posted": """
        loop = RunLoop()
        watcher = SimpleWatcher(task_runner=loop.task_runner)
        def start():
            watcher.watch(left, Signals.READABLE, lambda result, state: None)
            loop.quit()
        loop.task_runner.post_task(start)
        loop.run()
        right.write(b"x")
    """,
    "a simple watcher on a pool is left": """
        pool = ThreadPool(max_workers=2)
        runner = pool.create_sequenced_task_runner()
        watcher = SimpleWatcher(task_runner=runner)
        def callback(result, state):
            if result is Result.OK:
                left.read()
        runner.submit(watcher.watch, left, Signals.READABLE, callback).result()
        for _ in range(100):
            right.write(b"x")
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_the_interpreter_ends_without_hang_or_crash(case: str) -> None:
    # Public contract §7, §9; a wait that is interrupted by the end of the world may not block it.
    script = PRELUDE + textwrap.dedent(CASES[case]) + "\nprint('end of main', flush=True)\n"
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", script],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert child.stdout == "end of main\n", child.stderr
    assert child.returncode == 0, child.stderr
    for fatal in ("Fatal Python error", "Segmentation", "terminate called", "AssertionError"):
        assert fatal not in child.stderr
