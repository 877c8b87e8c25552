"""With spins and without, with processors to spare and without: messages come all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys

from mojo_seq import MessagePipeHandle, PeerClosedError, Signals, ThreadPool, spawn_process, wait

TURNS = 3_000

def echo(pipe: MessagePipeHandle) -> None:
    try:
        while True:
            wait(pipe, Signals.READABLE)
            pipe.write(pipe.read().payload)
    except PeerClosedError:
        pipe.close()

def ping(pipe: MessagePipeHandle) -> None:
    for turn in range(TURNS):
        pipe.write(b"%d" % turn)
        wait(pipe, Signals.READABLE)
        assert bytes(pipe.read().payload) == b"%d" % turn

if __name__ == "__main__":
    if sys.argv[1] == "one":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with spawn_process(echo) as child, ThreadPool(2) as pool:
        runners = [pool.create_sequenced_task_runner() for _ in range(2)]
        waited = runners[0].submit(ping, child.pipe)
        for turn in range(TURNS):
            assert runners[1].submit(int, turn).result() == turn
        waited.result()
        child.pipe.close()
        child.wait(30)
    assert child.exitcode == 0
"""


@pytest.mark.parametrize("spin", ["auto", "never"])
@pytest.mark.parametrize("processors", ["one", "all"])
def test_processes_and_threads_that_wait_for_each_other(
    tmp_path: Path, spin: str, processors: str
) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), processors],
        env=os.environ | {"MOJO_SEQ_SPIN": spin},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
