"""However the process ends that has a pool, no worker outlives it; nor are forks in the way."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pool_services
import pytest
from pool_services import await_end, next_message, start_workers

from mojo_seq import MessagePipeHandle, ShutdownError
from mojo_seq.pool import ProcessPool

WaitClosed = Callable[[MessagePipeHandle], None]
RunPython = Callable[..., subprocess.CompletedProcess[str]]

PROLOGUE = """
import os, signal, sys, threading, warnings
from mojo_seq import Signals, wait
from mojo_seq.pool import ProcessPool
from pool_services import *
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def pids_in(text: str) -> list[int]:
    return [int(word) for word in text.split()]


# --- dropping it ---


def test_a_pool_that_was_dropped_warns_and_ends(wait_closed: WaitClosed) -> None:
    pool = ProcessPool(2)
    [(pipe, pid)] = start_workers(pool, 1)
    with pytest.warns(ResourceWarning, match="<ProcessPool max_workers=2> was dropped without"):
        del pool
        gc.collect()
    wait_closed(pipe)
    pipe.close()
    await_end([pid])


def test_a_pool_that_was_never_needed_may_be_dropped() -> None:
    pool = ProcessPool(2)
    pool.choose_worker()
    del pool
    gc.collect()


def test_a_worker_of_a_pool_that_was_dropped() -> None:
    pool = ProcessPool(2)
    worker = pool.choose_worker()
    del pool
    gc.collect()
    assert not worker.is_alive
    with pytest.raises(ShutdownError):
        worker.open_service(pool_services.echo)


# --- the interpreter's exit ---


@pytest.mark.parametrize("how", ["", "sys.exit()", "threading.Thread(target=sys.exit).start()"])
def test_the_workers_end_with_the_interpreter(run_python: RunPython, how: str) -> None:
    """Without a shutdown, in the midst of what they do; what they log last is not lost."""
    code = f"""
pool = ProcessPool(3)
started = start_workers(pool, 2)
print(*[pid for _, pid in started], flush=True)
pool.choose_worker().open_service(echo)  # it is just starting
{how}
"""
    done = run_python("import warnings; warnings.simplefilter('ignore')" + PROLOGUE + code)
    assert (done.stderr, done.returncode) == ("", 0)
    pids = pids_in(done.stdout)
    assert len(pids) == 2
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_an_exception_in_the_block_is_all_that_is_seen(run_python: RunPython) -> None:
    code = """
with ProcessPool(2) as pool:
    started = start_workers(pool, 2)
    print(*[pid for _, pid in started], flush=True)
    for pipe, _ in started:
        pipe.close()
    sys.exit("the end")
"""
    done = run_python(PROLOGUE + code)
    assert (done.stderr, done.returncode) == ("the end\n", 1)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids_in(done.stdout))


# --- Ctrl-C ---


def test_ctrl_c_of_the_terminal_ends_all_quietly(run_python: RunPython) -> None:
    """The signal goes to the whole foreground group, but the pool's process decides."""
    code = """
try:
    with ProcessPool(3) as pool:
        started = start_workers(pool, 2)
        print(*[pid for _, pid in started], flush=True)
        for pipe, _ in started:
            pipe.close()
        third = pool.choose_worker()
        starting = third.open_service(echo)
        os.killpg(0, signal.SIGINT)
        threading.Event().wait()
except KeyboardInterrupt:
    starting.close()
    print(0)
"""
    done = run_python(PROLOGUE + code)
    assert (done.stderr, done.returncode) == ("", 0)
    *pids, last = pids_in(done.stdout)
    assert last == 0
    assert len(pids) == 2
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_ctrl_c_while_the_workers_end_kills_them(run_python: RunPython) -> None:
    code = """
pool = ProcessPool(1)
worker = pool.choose_worker()
with worker.open_service(stay_at_exit) as pipe:
    next_message(pipe)
timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
thread = pool._fleet._thread
wait_for_it = thread.wait

def wait_and_be_interrupted(*timeout):
    thread.wait = wait_for_it
    timer.start()
    return wait_for_it(*timeout)

thread.wait = wait_and_be_interrupted  # before that it is not known to wait for the workers
try:
    with pool:
        pass
except KeyboardInterrupt:
    print(worker.exitcode, os.path.exists(f"/proc/{worker.pid}"))
timer.join()
"""
    done = run_python(PROLOGUE + code)
    assert (done.stdout, done.stderr) == ("-9 False\n", "")


# --- the end of the process ---


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_the_workers_die_with_their_parent(run_python: RunPython, number: int) -> None:
    """Also those whose services are busy, or not to be spoken to."""
    code = f"""
pool = ProcessPool(4)
started = start_workers(pool, 2)
for target in (stop_python, stay_at_exit):
    worker = pool.choose_worker()
    next_message(worker.open_service(target))
print(*[worker.pid for worker in pool.__actor_workers__()], flush=True)
signal.signal({int(number)}, signal.SIG_DFL) if {int(number)} != signal.SIGKILL else None
os.kill(os.getpid(), {int(number)})
"""
    command = "import faulthandler; faulthandler.disable()"
    done = run_python(command + PROLOGUE + code)
    assert done.returncode == -number
    pids = pids_in(done.stdout)
    assert len(pids) == 4
    await_end(pids)


def test_a_worker_can_have_a_pool_itself(run_python: RunPython, tmp_path: Path) -> None:
    code = """
def host(pipe):
    with ProcessPool(1) as pool:
        [(inner, pid)] = start_workers(pool, 1)
        pipe.write(f"{os.getpid()} {pid}".encode())
        wait(inner, Signals.PEER_CLOSED)

if __name__ == "__main__":
    pool = ProcessPool(1)
    pipe = pool.choose_worker().open_service(host)
    print(next_message(pipe).decode(), flush=True)
    os.kill(os.getpid(), 9)
"""
    script = tmp_path / "hosting.py"
    script.write_text(PROLOGUE + code)
    run_main = (
        "import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = run_python(run_main, script)
    pids = pids_in(done.stdout)
    assert len(pids) == 2, done.stderr
    await_end(pids)


# --- forks ---


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child_the_pool_is_dead(pool: ProcessPool) -> None:
    [(pipe, pid)] = start_workers(pool, 1)
    used, unused = pool.__actor_workers__()
    fleet = pool._fleet
    with pipe, fleet._lock:  # as if another thread held it
        child = os.fork()
        if child == 0:
            refused = 0
            for use in (
                pool.choose_worker,
                pool.__actor_workers__,
                lambda: used.open_service(pool_services.echo),
                lambda: unused.open_service(pool_services.echo),
            ):
                try:
                    use()
                except ShutdownError as error:
                    refused += "fork" in str(error)
            refused += not used.is_alive
            refused += "fork" in str(used.exit_reason())
            repr(pool), repr(used)
            pool.shutdown()
            os._exit(refused)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6
    assert used.is_alive
    with used.open_service(pool_services.echo) as other:
        other.write(b"none the worse")
        assert next_message(other) == b"none the worse"
    assert used.pid == pid


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_have_a_pool_of_its_own(pool: ProcessPool) -> None:
    [(pipe, _)] = start_workers(pool, 1)
    with pipe:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with ProcessPool(1) as own, start_workers(own, 1)[0][0]:
                    code = 5
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5


def test_a_forked_child_that_exits_leaves_the_workers_alone(run_python: RunPython) -> None:
    """It runs what was registered for the exit, and finalizers, of things that are not its own."""
    code = """
with ProcessPool(1) as pool:
    [(pipe, pid)] = start_workers(pool, 1)
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking, new in Python 3.12
    child = os.fork()
    if child == 0:
        del pool
        sys.exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), pool.choose_worker().is_alive)
    pipe.close()
"""
    done = run_python(PROLOGUE + code)
    assert (done.stdout, done.stderr) == ("3 True\n", "")
