"""Programs that end, are interrupted, or fork while actors are alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from troupe import TIMEOUT, programs


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Runs it in a process of its own; no warning may be heard of."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent / "helpers")},
        timeout=3 * TIMEOUT,
        start_new_session=True,
    )


def output(program: str) -> list[str]:
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_interpreters_exit_ends_the_system() -> None:
    assert output(programs.FALL_OFF_THE_END) == ["10"]


def test_on_stop_is_called_at_exit() -> None:
    assert output(programs.ON_STOP_AT_EXIT) == ["ended: system"]


def test_a_busy_actor_does_not_hold_the_exit_for_ever() -> None:
    done = run(programs.BUSY_AT_EXIT)
    assert done.stdout.splitlines() == ["main ends"]
    assert "Busy" in done.stderr


def test_an_exception_of_the_program_is_shown() -> None:
    done = run(programs.EXCEPTION)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["1"]
    assert done.stderr.rstrip().endswith("LookupError: of the program")


def test_sys_exit_in_an_actor_is_the_askers_error() -> None:
    assert output(programs.SYS_EXIT_IN_AN_ACTOR) == ["SystemExit"]


def test_exit_after_asyncio() -> None:
    assert output(programs.ASYNCIO_AT_EXIT) == ["1"]


def test_ctrl_c_wakes_who_waits_and_ends_the_actors() -> None:
    done = run(programs.CTRL_C)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["interrupted", "ended: system"]


def test_a_forked_child_has_no_part_in_the_parents_actors() -> None:
    done = run(programs.FORK)
    assert done.returncode == 0, done.stderr
    child, parent = done.stdout.splitlines()
    assert parent == "parent: 2", "nothing is disturbed in the parent"
    what, answer, works = child.split()
    assert what == "child:"
    assert answer in ("ActorDeadError", "FailedPreconditionError"), "at once, without a time limit"
    assert works == "True", "new systems work"


def test_asking_while_the_system_ends() -> None:
    assert output(programs.IN_A_THREAD_AT_EXIT) == ["joined"]


def test_importing_costs_little() -> None:
    assert output(programs.LAZY) == ["[]", "[]"]
