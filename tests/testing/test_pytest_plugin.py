"""The pytest plugin, in test runs of its own. Public contract §13."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

RunTests = Callable[..., pytest.RunResult]

# Seconds: ends a run that hangs before the limit of each test here would leave it behind. Not how
# long it may take, which on a busy machine is half a minute.
OWN_LIMIT = 200

PRELUDE = """
import os, subprocess, sys, threading
import pytest
import mojo_seq
from mojo_seq import _core
kept = []
"""

# What a test leaves behind, and what is said about it.
LEFT = {
    "handle": ("kept.append(mojo_seq.create_message_pipe())", "2 handle"),
    "mapping": ("kept.append(mojo_seq.create_shared_buffer(64).map())", "1 mapping"),
    "sequence": ("kept.append(mojo_seq.RunLoop())", "1 sequence"),
    "thread": (
        "event = threading.Event(); kept.append(event);"
        " threading.Thread(target=event.wait, name='lost', daemon=True).start()",
        "thread lost",
    ),
    "process": (
        "kept.append(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE))",
        "process ",
    ),
}


@pytest.fixture
def run_tests(pytester: pytest.Pytester) -> RunTests:
    """Runs a test file in a process of its own, with the plugin as installed."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(PRELUDE + textwrap.dedent(source))
        return pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", *arguments, timeout=OWN_LIMIT
        )

    return run


def test_the_fixture_is_an_environment(run_tests: RunTests) -> None:
    done = run_tests("""
        def test_it(task_environment):
            future = mojo_seq.ThreadPool().submit(threading.get_ident)
            task_environment.run_until_idle()
            assert future.result() == threading.get_ident()
            assert task_environment.seed is None

        def test_it_is_over():
            assert _core.current_environment() is None
    """)
    done.assert_outcomes(passed=2)


def test_the_fixture_takes_seeds(run_tests: RunTests) -> None:
    done = run_tests("""
        seeds = []

        @pytest.mark.parametrize("task_environment", range(3), indirect=True)
        def test_it(task_environment):
            seeds.append(task_environment.seed)

        def test_they_were_used():
            assert seeds == [0, 1, 2]
    """)
    done.assert_outcomes(passed=4)


def test_a_task_that_raises_fails_the_test(run_tests: RunTests) -> None:
    done = run_tests("""
        def test_it(task_environment):
            mojo_seq.ThreadPool().post_task(int, "x")
            task_environment.run_until_idle()
    """)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*ValueError*invalid literal*", "*raised by a task, posted from*"])


END = """
def test_end():  # of what was left
    for each in kept:
        if isinstance(each, threading.Event):
            each.set()
        elif isinstance(each, subprocess.Popen):
            each.communicate()
    kept.clear()
"""


def test_what_is_left_behind_is_an_error(run_tests: RunTests) -> None:
    tests = [f"def test_{what}():\n    {action}\n" for what, (action, _) in LEFT.items()]
    between = "def test_which_leaves_nothing_{}():\n    pass\n"
    tests += [between.format(number) for number in range(2)]
    quiet = ("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    done = run_tests("\n".join([*tests, END]), "--mojo-leaks", "-W", quiet[0], "-W", quiet[1])
    done.assert_outcomes(passed=len(tests) + 1, errors=len(LEFT))
    for what, (_, message) in LEFT.items():
        done.stdout.fnmatch_lines([f"*ERROR at teardown of test_{what} *", f"*{message}*"])


def test_without_the_option_nothing_is_checked(run_tests: RunTests) -> None:
    done = run_tests("""
        def test_it():
            kept.append(mojo_seq.RunLoop())
    """)
    done.assert_outcomes(passed=1)


def test_the_ini_option_turns_it_on(run_tests: RunTests, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmojo_leaks = true\naddopts = --strict-config\n")
    done = run_tests("""
        def test_it():
            kept.append(mojo_seq.RunLoop())
    """)
    done.assert_outcomes(passed=1, errors=1)


def test_what_goes_away_by_itself_is_not_left(run_tests: RunTests) -> None:
    done = run_tests(
        """
        class Owner:
            def __init__(self):
                self.owner = self  # for the garbage collector
                self.loop = mojo_seq.RunLoop()

        @pytest.fixture(scope="module")
        def shared():
            with mojo_seq.ThreadPool(1) as pool:
                pool.submit(int).result()
                yield pool

        @pytest.fixture
        def pipe():
            here, there = mojo_seq.create_message_pipe()
            with here, there:
                yield here

        def test_garbage(shared, pipe):
            Owner()

        def test_a_thread_that_is_about_to_end():
            threading.Thread(target=threading.Event().wait, args=(0.2,)).start()

        def test_an_argument(shared, tmp_path):
            shared.submit(int).result()

        def test_a_logged_error(caplog, shared):
            loop = mojo_seq.RunLoop()
            loop.task_runner.post_task(int, "x")
            loop.run_until_idle()
            assert "invalid literal" in caplog.text

        def test_nothing_was_logged(caplog):
            assert caplog.text == ""
        """,
        "--mojo-leaks",
        "-W",
        "error",
    )
    done.assert_outcomes(passed=5)


def test_a_test_that_fails_is_not_checked(run_tests: RunTests) -> None:
    done = run_tests(
        """
        def test_it():
            loop = mojo_seq.RunLoop()
            assert loop is None
        """,
        "--mojo-leaks",
    )
    done.assert_outcomes(failed=1)


def test_the_plugin_costs_little_where_it_is_not_used(run_tests: RunTests) -> None:
    done = run_tests("""
        def test_it():
            loaded = sys.modules.keys()
            unused = {"numpy", "mojo_seq.actor", "mojo_seq.testing.task_environment"}
            assert "mojo_seq.testing.pytest_plugin" in loaded
            assert unused & loaded == set()
    """)
    done.assert_outcomes(passed=1)


PDB = """
import mojo_seq
from mojo_seq.testing import TaskEnvironment

def work():
    secret = 20
    breakpoint()
    return secret + 1

with TaskEnvironment(3):
    pool = mojo_seq.ThreadPool()
    nested = pool.submit(lambda: pool.submit(work).result())
    print("result", nested.result())
"""


def test_the_debugger_works_in_tasks(pytester: pytest.Pytester) -> None:
    script = pytester.makepyfile(PDB)
    commands = b"p secret\nnext\np 'still', secret\nup\nwhere\ncontinue\n"
    done = pytester.run(sys.executable, script, stdin=commands, timeout=OWN_LIMIT)
    assert done.ret == 0
    done.stdout.fnmatch_lines(["(Pdb) 20", "*('still', 20)", "*result 21"])
