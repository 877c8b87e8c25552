"""What comes and goes leaves nothing with `atexit`, and its order is that of `atexit`."""

from __future__ import annotations

import atexit
import subprocess
import sys
import textwrap

import pytest

from mojo_seq.sequence.exit_calls import ExitCalls

TIMEOUT = 40.0


@pytest.mark.parametrize(
    ("made", "used", "times"),
    [
        ("ThreadPool(1)", "it.submit(int).result()", 50),
        ("ActorSystem(1)", "pass", 50),
        ("ProcessPool(1)", "it.submit(int).result()", 3),
    ],
)
def test_no_entries_are_left_behind(made: str, used: str, times: int) -> None:
    program = f"""
        from mojo_seq import ActorSystem, ProcessPool, ThreadPool

        def once():
            with {made} as it:
                {used}

        once()  # what others are imported for, and register
        once()
        before = atexit._ncallbacks()
        for _ in range({times}):
            once()
        print(atexit._ncallbacks() - before)
    """
    assert output_of(program) == ("0\n", "")


def nothing() -> None:
    """Somebody else's."""


def test_those_of_others_between_ours_cost_one_entry_each() -> None:
    calls = ExitCalls()
    before = atexit._ncallbacks()
    for number in range(3):
        for _ in range(5):
            add_and_remove(calls, number)
        atexit.register(nothing)
    atexit.unregister(nothing)
    assert atexit._ncallbacks() <= before + 6


def add_and_remove(calls: ExitCalls, number: int) -> None:
    calls.add(call := lambda: number)
    calls.remove(call)
    calls.remove(call)


def output_of(program: str) -> tuple[str, str]:
    """What a program prints, up to its end: stdout and stderr."""
    prelude = "import atexit\nfrom mojo_seq.sequence.exit_calls import exit_calls\n"
    prelude += "def say(text):\n    return lambda: print(text)\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    return done.stdout, done.stderr


def test_the_last_is_the_first_also_among_those_of_others() -> None:
    program = """
        exit_calls.add(say("ours 1"))
        exit_calls.add(say("ours 2"))
        atexit.register(say("theirs 1"))
        exit_calls.add(gone := say("gone"))
        exit_calls.add(say("ours 3"))
        exit_calls.remove(gone)
        atexit.register(say("theirs 2"))
        exit_calls.add(say("ours 4"))
    """
    said = ["ours 4", "theirs 2", "ours 3", "theirs 1", "ours 2", "ours 1"]
    assert output_of(program) == ("\n".join(said) + "\n", "")


def test_one_that_is_added_again_becomes_the_last() -> None:
    program = """
        exit_calls.add(again := say("again"))
        exit_calls.add(say("ours 1"))
        atexit.register(say("theirs"))
        exit_calls.add(say("ours 2"))
        exit_calls.add(again)
    """
    assert output_of(program) == ("again\nours 2\ntheirs\nours 1\n", "")


def test_one_that_fails_keeps_the_others_from_nothing() -> None:
    program = """
        def fail():
            raise LookupError("on purpose")
        atexit.register(say("theirs"))
        exit_calls.add(say("ours 1"))
        exit_calls.add(fail)
        exit_calls.add(say("ours 2"))
    """
    out, errors = output_of(program)
    assert out == "ours 2\nours 1\ntheirs\n"
    assert "LookupError: on purpose" in errors


def test_what_a_call_removes_is_not_called() -> None:
    program = """
        exit_calls.add(removed := say("removed"))
        exit_calls.add(lambda: exit_calls.remove(removed))
        exit_calls.add(say("ours"))
    """
    assert output_of(program) == ("ours\n", "")


def test_a_forked_child_has_an_entry_of_its_own() -> None:
    program = """
        import os, sys
        exit_calls.add(say("of both"))
        pid = os.fork()
        if pid == 0:
            exit_calls.add(say("of the child"))
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
    """
    assert output_of(program) == ("of the child\nof both\nof both\n", "")
