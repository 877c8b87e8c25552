"""mojo_seq.cli.bench.fresh_process and process_tree: samples are processes that leave nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from mojo_seq.cli.bench.fresh_process import Sample, take_sample
from mojo_seq.cli.bench.process_tree import adopting_orphans, descendants, end_descendants


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def sample_of(code: str) -> list[str]:
    """A process that takes a sample by this code of a function."""
    head = """\
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.fresh_process import print_sample
from mojo_seq.cli.bench.scale import Scale, UnavailableError

def sample(scale):
"""
    body = textwrap.indent(textwrap.dedent(code), "    ")
    return [sys.executable, "-c", f"{head}{body}\nprint_sample(Contender('it', sample), Scale())"]


def test_a_sample_comes_with_its_processor_time() -> None:
    sample = take_sample(sample_of("with scale.counting_cpu(4): sum(range(10**6))\nreturn 2.5"), 30)
    assert sample.figure == 2.5 and sample.problem == ""
    assert sample.cpu is not None and sample.cpu > 0


def test_other_output_does_not_disturb() -> None:
    code = "import atexit; atexit.register(print, 'bye'); print('hello', end=''); return 1"
    assert take_sample(sample_of(code), 30).figure == 1


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise UnavailableError('needs two processors')", "needs two processors"),
        ("raise OSError('no such luck')", "FAILED: OSError: no such luck"),
        ("import os; os._exit(0)", "FAILED: exit code 0"),
        ("import os; os._exit(3)", "FAILED: exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "FAILED: exit code -9"),
    ],
)
def test_why_there_is_no_figure(code: str, problem: str) -> None:
    assert take_sample(sample_of(code), 30) == Sample(None, problem=problem)


def test_a_sample_that_does_not_end_is_killed() -> None:
    before = descendants()
    assert take_sample(python("input = open('/dev/zero').read()"), 0.1) == Sample(
        None, problem="FAILED: no result after 0.1 s"
    )
    assert descendants() <= before


# Starts a process that does not end soon, and holds the pipes of this one; tells its id.
ORPHAN = """
    import subprocess, sys
    code = "import signal; signal.alarm(50); signal.pause()"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    print(child.pid, flush=True)
"""


def test_orphans_are_found_and_ended() -> None:
    spared = descendants()
    with adopting_orphans():
        with subprocess.Popen(python(ORPHAN), stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
        assert pid in descendants()
        end_descendants(spared, 0.0)
        assert pid not in descendants()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_a_sample_leaves_behind_is_ended_with_it() -> None:
    orphan = textwrap.dedent(ORPHAN).replace("print(child.pid, flush=True)", "return child.pid")
    with adopting_orphans():
        sample = take_sample(sample_of(orphan), 30)
    assert sample.problem == "" and sample.figure is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(sample.figure), 0)


def test_what_was_there_before_is_spared() -> None:
    with subprocess.Popen(python("input()"), stdin=subprocess.PIPE) as child:
        end_descendants(descendants(), 0.0)
        assert child.poll() is None
        child.communicate(b"\n")
    assert child.returncode == 0


def test_a_process_that_ends_by_itself_is_waited_for() -> None:
    spared = descendants()
    child = subprocess.Popen(python("pass"))
    end_descendants(spared, 60.0)
    assert child.wait() == 0  # or its status was lost to whoever reaped it
