"""The interpreter ends with work queued, running or failing (public contract §8)."""

import subprocess
import sys
import textwrap
import threading

import pytest

from mojo_seq import ThreadPool

TIMEOUT = 40.0

PRELUDE = """
import asyncio, atexit, gc, sys, threading
def before_the_pools():
    # Registered first, so it runs last: after mojo_seq's own exit handler.
    for step in last_steps:
        step()
last_steps = []
atexit.register(before_the_pools)
from mojo_seq import *
BLOCK = TaskTraits(shutdown=ShutdownBehavior.BLOCK_SHUTDOWN)
CONTINUE = TaskTraits(shutdown=ShutdownBehavior.CONTINUE_ON_SHUTDOWN)
def say(text):
    print(text, flush=True)
def fail(*args):
    raise RuntimeError("on purpose")
"""

# Each case: a main program, and what it prints.
CASES = {
    "an idle pool was not shut down": (
        """
        pool = ThreadPool(max_workers=4)
        pool.submit(lambda: None).result()
        """,
        "",
    ),
    "ten thousand tasks are queued": (
        """
        pool = ThreadPool(max_workers=2)
        for _ in range(1000):
            runner = pool.create_sequenced_task_runner()
            for _ in range(10):
                runner.post_task(sum, range(1000))
        """,
        "",
    ),
    "a task is running and finishes": (
        """
        pool = ThreadPool(max_workers=1)
        started = threading.Event()
        def task():
            started.set()
            threading.Event().wait(0.2)
            say("finished")
        pool.create_sequenced_task_runner().post_task(task)
        started.wait()
        """,
        "finished\n",
    ),
    "tasks that block shutdown are queued": (
        """
        pool = ThreadPool(max_workers=1)
        runner = pool.create_sequenced_task_runner(traits=BLOCK)
        for number in range(3):
            runner.post_task(say, number)
        """,
        "0\n1\n2\n",
    ),
    "a continuing task is running for ever": (
        """
        pool = ThreadPool(max_workers=1)
        started = threading.Event()
        def task():
            started.set()
            threading.Event().wait()
        pool.create_sequenced_task_runner(traits=CONTINUE).post_task(task)
        started.wait()
        """,
        "",
    ),
    "continuing tasks compute for ever": (
        """
        pool = ThreadPool(max_workers=2)
        started = threading.Barrier(3)
        def task():
            started.wait()
            while True:
                sum(range(1000))
        for _ in range(2):
            pool.create_sequenced_task_runner(traits=CONTINUE).post_task(task)
        started.wait()
        """,
        "",
    ),
    "delayed tasks are far away": (
        """
        pool = ThreadPool(max_workers=1)
        for delay in (60, 3600):
            pool.create_sequenced_task_runner(traits=BLOCK).post_delayed_task(delay, fail)
            pool.create_single_thread_task_runner().post_delayed_task(delay, fail)
        """,
        "",
    ),
    "single-thread runners were not shut down": (
        """
        pool = ThreadPool(max_workers=1)
        runners = [pool.create_single_thread_task_runner() for _ in range(4)]
        for runner in runners:
            runner.submit(lambda: None).result()
        """,
        "",
    ),
    "a run loop was never run": (
        """
        loop = RunLoop()
        future = loop.task_runner.submit(fail)
        loop.task_runner.post_delayed_task(1, fail)
        """,
        "",
    ),
    "a daemon thread is in a run loop": (
        """
        loop = RunLoop()
        threading.Thread(target=loop.run, daemon=True).start()
        loop.task_runner.submit(lambda: None).result()
        """,
        "",
    ),
    "an event loop has tasks that will not run": (
        """
        loop = asyncio.new_event_loop()
        runner = AsyncioTaskRunner(loop)
        runner.post_task(fail)
        runner.post_delayed_task(1, fail)
        loop.close()
        """,
        "",
    ),
    "threads post while the interpreter goes down": (
        """
        pool = ThreadPool(max_workers=2)
        runner = pool.create_sequenced_task_runner()
        started = threading.Barrier(4)
        def body():
            started.wait()
            while True:
                try:
                    runner.post_task(len, "x")
                    runner.post_delayed_task(0.001, len, "x").cancel()
                except ShutdownError:
                    return
        for _ in range(3):
            threading.Thread(target=body, daemon=True).start()
        started.wait()
        """,
        "",
    ),
    "a daemon thread waits for a future that will never come": (
        """
        pool = ThreadPool(max_workers=1)
        runner = pool.create_sequenced_task_runner()
        started, waiting = threading.Event(), threading.Event()
        def task():
            started.set()
            threading.Event().wait(0.2)
        runner.post_task(task)
        skipped = runner.submit(fail)
        started.wait()
        def body():
            waiting.set()
            skipped.result()
        threading.Thread(target=body, daemon=True).start()
        waiting.wait()
        threading.excepthook = lambda args: None
        """,
        "",
    ),
    "posting in an exit handler still works before the pools end": (
        """
        pool = ThreadPool(max_workers=1)
        runner = pool.create_sequenced_task_runner()
        runner.submit(len, "x").result()
        atexit.register(lambda: say(runner.submit(lambda: "ran").result(10)))
        """,
        "ran\n",
    ),
    "posting after the pools ended is refused": (
        """
        pool = ThreadPool(max_workers=1)
        runner = pool.create_sequenced_task_runner()
        def late():
            try:
                runner.post_task(fail)
            except ShutdownError:
                say("refused")
        last_steps.append(late)
        """,
        "refused\n",
    ),
    "a pool made after the pools ended is of no use": (
        """
        ThreadPool(max_workers=1).shutdown()
        def late():
            try:
                ThreadPool(max_workers=1).post_task(fail)
            except ShutdownError:
                say("refused")
        last_steps.append(late)
        """,
        "refused\n",
    ),
    "a pool is made in an exit handler and left": (
        """
        def late():
            pools.append(ThreadPool(max_workers=1))
            pools[0].post_task(len, "x")
        pools = []
        last_steps.append(late)
        """,
        "",
    ),
    "everything is one cycle": (
        """
        class Owner:
            def __init__(self):
                self.pool = ThreadPool(max_workers=1)
                self.runner = self.pool.create_sequenced_task_runner()
                self.runner.exception_handler = self.run
                self.runner.post_delayed_task(60, self.run)
                self.runner.submit(self.run).add_done_callback(self.run)
            def run(self, *args):
                pass
        owners = [Owner() for _ in range(4)]
        """,
        "",
    ),
    "a future's callback raises at exit": (
        """
        pool = ThreadPool(max_workers=1)
        started = threading.Event()
        def task():
            started.set()
            threading.Event().wait(0.2)
        runner = pool.create_sequenced_task_runner()
        runner.post_task(task)
        runner.submit(len, "x").add_done_callback(fail)
        started.wait()
        """,
        "",
    ),
    "tasks raise while the pool ends": (
        """
        pool = ThreadPool(max_workers=1)
        runner = pool.create_sequenced_task_runner(traits=BLOCK)
        for _ in range(10):
            runner.post_task(fail)
        """,
        "",
    ),
}


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_interpreter_ends_without_hang_or_crash(case: str) -> None:
    # Public contract §8: clean shutdown also at interpreter exit, exit code 0.
    script, expected = CASES[case]
    child = run(script)
    if "can't create new thread at interpreter shutdown" in child.stderr:
        # Python 3.12.0 and 3.12.1 start no threads this late: a clear error, no hang, no crash.
        assert sys.version_info[:2] == (3, 12)
        expected = ""
    assert (child.returncode, child.stdout) == (0, expected), child.stderr
    for fatal in ("Fatal Python error", "Segmentation", "terminate called", "AssertionError"):
        assert fatal not in child.stderr


def test_errors_at_exit_are_still_reported() -> None:
    # Public contract §8: nothing is swallowed, the last tasks' exceptions neither.
    child = run(CASES["tasks raise while the pool ends"][0])
    assert child.stderr.count("RuntimeError: on purpose") == 10


@pytest.mark.parametrize(
    ("ending", "code"), [("sys.exit(3)", 3), ("fail()", 1), ("raise KeyboardInterrupt", -2)]
)
def test_the_exit_code_is_the_programs(ending: str, code: int) -> None:
    # Public contract §8: ending the pools changes nothing about how the program ended.
    child = run(CASES["ten thousand tasks are queued"][0] + "        " + ending + "\n")
    assert child.returncode == code


def test_without_more_threads_those_that_there_are_do_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From Python 3.12 on no thread can be started once the interpreter has begun to end."""
    refused: list[threading.Thread] = []
    unraisable: list[object] = []

    def refuse(thread: threading.Thread) -> None:
        refused.append(thread)
        raise RuntimeError("can't create new thread at interpreter shutdown")

    second = threading.Event()
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with ThreadPool(3) as pool:
        pool.submit(int).result(TIMEOUT)  # it takes one thread, and another one is to spare
        monkeypatch.setattr(threading.Thread, "start", refuse)
        first = pool.submit(second.wait, TIMEOUT)
        pool.submit(second.set).result(TIMEOUT)  # and now none is
        assert first.result(TIMEOUT)
        assert [pool.submit(abs, -n).result(TIMEOUT) for n in range(10)] == list(range(10))
    assert refused and not unraisable
