"""The pool as an executor when the program ends: nothing hangs, is left, or is said."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest
from pool_services import await_end

RunPython = Callable[..., subprocess.CompletedProcess[str]]

PROLOGUE = """
import atexit, os, signal, sys, threading, time, warnings
from mojo_seq import ProcessPool
import executor_tasks as tasks
from gate import Gate, pass_through
warnings.simplefilter("ignore", ResourceWarning)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""

# With a task that will never end by itself, and some behind it.
BUSY = """
import pathlib, tempfile
folder = tempfile.TemporaryDirectory()
gate = Gate(pathlib.Path(folder.name))
pool = ProcessPool(1)
futures = [pool.submit(pass_through, gate.path) for _ in range(5)]
print(gate.next_begun(), flush=True)
"""


def all_gone(text: str) -> bool:
    pids = [int(word) for word in text.split() if word.isdigit()]
    assert pids
    await_end(pids)
    return True


@pytest.mark.parametrize(
    "how",
    ["", "sys.exit()", "pool.shutdown(wait=False)", "threading.Thread(target=sys.exit).start()"],
)
def test_the_interpreter_ends_with_tasks_that_would_not(run_python: RunPython, how: str) -> None:
    done = run_python(PROLOGUE + BUSY + how)
    assert (done.stderr, done.returncode) == ("", 0)
    assert all_gone(done.stdout)


def test_futures_are_resolved_at_the_interpreters_end(run_python: RunPython) -> None:
    """Whoever waits in a daemon thread is told; what was registered first runs last."""
    first = """
import atexit
threads = []
atexit.register(lambda: [thread.join() for thread in threads])
"""
    last = """
def wait_for(future):
    try:
        future.result()
    except BaseException:
        print("ended", flush=True)

threads += [threading.Thread(target=wait_for, args=(each,), daemon=True) for each in futures]
for thread in threads:
    thread.start()
"""
    done = run_python(first + PROLOGUE + BUSY + last)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.count("ended") == 5
    assert all_gone(done.stdout.splitlines()[0])


def test_submitting_at_the_end_of_the_interpreter(run_python: RunPython) -> None:
    """What was registered first runs last: the pool has ended by then."""
    first = """
import atexit
@atexit.register
def run_last():
    try:
        pool.submit(id, None)
    except RuntimeError:
        print("refused", flush=True)
"""
    done = run_python(first + PROLOGUE + "pool = ProcessPool(2)\npool.submit(id, 42).result()")
    assert (done.stdout, done.stderr, done.returncode) == ("refused\n", "", 0)


def test_leaving_the_block_by_an_exception_waits(run_python: RunPython) -> None:
    code = """
with ProcessPool(1) as pool:
    future = pool.submit(time.sleep, 0.05)
    future.add_done_callback(lambda future: print(future.exception(), flush=True))
    sys.exit("the end")
"""
    done = run_python(PROLOGUE + code)
    assert (done.stdout, done.stderr, done.returncode) == ("None\n", "the end\n", 1)


@pytest.mark.parametrize(
    "waiting",
    ["futures[0].result()", "futures[4].result()", "pool.shutdown()", "list(pool.map(abs, [1]))"],
)
def test_ctrl_c_while_waiting(run_python: RunPython, waiting: str) -> None:
    """The whole foreground group has the signal, and only the program takes it."""
    code = f"""
timer = threading.Timer(0.1, os.killpg, [0, signal.SIGINT])
try:
    timer.start()
    {waiting}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    done = run_python(PROLOGUE + BUSY + code)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines()[1] == "interrupted"
    assert all_gone(done.stdout)


def test_ctrl_c_while_submitting(run_python: RunPython) -> None:
    """Whatever it interrupts, the pool goes on, and all that was submitted is done."""
    code = """
import random

def submit_until_interrupted(futures):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.003))
        while True:
            futures.append(pool.submit(abs, -5))
            if random.random() < 0.05:
                futures[-1].result()
    except KeyboardInterrupt:
        return

signal.signal(signal.SIGALRM, signal.default_int_handler)
with ProcessPool(3) as pool:
    for _ in range(40):
        futures = []
        for _ in range(20):
            submit_until_interrupted(futures)
        assert {future.result(20) for future in futures} <= {5}
    print(*pool.map(abs, range(5)))
"""
    done = run_python(PROLOGUE + code)
    assert (done.stdout, done.stderr) == ("0 1 2 3 4\n", "")


def test_ctrl_c_in_the_block(run_python: RunPython) -> None:
    """It is on its way out, so the tasks are waited for; once more, and they are not."""
    code = """
def interrupt_after(seconds):
    threading.Timer(seconds, os.killpg, [0, signal.SIGINT]).start()

def once_more(*_):
    interrupt_after(0.5)  # two at a time would be one
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, once_more)
try:
    with pool:
        interrupt_after(0.1)
        futures[0].result()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    done = run_python(PROLOGUE + BUSY + code)
    assert done.stdout.splitlines()[1:] in (["interrupted"], [])
    assert all_gone(done.stdout)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_workers_die_with_their_parent(run_python: RunPython, number: int) -> None:
    done = run_python(PROLOGUE + BUSY + f"os.kill(os.getpid(), {int(number)})")
    assert done.returncode == -number
    assert all_gone(done.stdout)


def test_the_workers_die_with_a_parent_that_is_killed_while_it_submits(
    run_python: RunPython,
) -> None:
    code = """
pool = ProcessPool(3)
print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGKILL]).start()
while True:
    pool.submit(len, bytes(100_000))
"""
    done = run_python(PROLOGUE + code)
    assert done.returncode == -signal.SIGKILL
    assert all_gone(done.stdout)


def test_a_task_that_has_a_pool_itself(run_python: RunPython) -> None:
    """Its workers are not outlived by it, however it ends."""
    code = """
print(pool.submit(tasks.use_inner_pool, 7).result())
print(*pool.submit(tasks.leave_inner_pool).result(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run_python(PROLOGUE + "pool = ProcessPool(1)\n" + code)
    assert done.stdout.splitlines()[0] == "49", done.stderr
    assert all_gone(done.stdout.splitlines()[1])


def test_what_tasks_print_arrives(run_python: RunPython) -> None:
    code = """
with ProcessPool(1) as pool:
    pool.submit(print, "to stdout").result()
    pool.submit(tasks.print_to_stderr, "to stderr").result()
"""
    done = run_python(PROLOGUE + code)
    assert (done.stdout, done.stderr, done.returncode) == ("to stdout\n", "to stderr\n", 0)


def test_what_is_logged_in_tasks_arrives(run_python: RunPython) -> None:
    code = """
import logging
logging.basicConfig(format="%(name)s: %(message)s")
with ProcessPool(1) as pool:
    pool.submit(tasks.log_warning, "a warning").result()
"""
    done = run_python(PROLOGUE + code)
    assert (done.stderr, done.returncode) == ("tasks: a warning\n", 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child_the_pool_is_dead(run_python: RunPython) -> None:
    code = """
with ProcessPool(1) as pool:
    future = pool.submit(abs, -5)
    future.result()
    child = os.fork()
    if child == 0:
        try:
            pool.submit(abs, -6)
        except RuntimeError as error:
            print("fork" in str(error), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(pool.submit(abs, -7).result(), flush=True)
"""
    done = run_python("import warnings; warnings.simplefilter('ignore')" + PROLOGUE + code)
    assert (done.stdout, done.stderr) == ("True\n7\n", "")


def test_os_exit_of_the_program(run_python: RunPython) -> None:
    done = run_python(PROLOGUE + BUSY + "os._exit(3)")
    assert (done.returncode, done.stderr) == (3, "")
    assert all_gone(done.stdout)
