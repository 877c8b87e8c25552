"""mojo_seq.cli.workers: what a worker process runs, and what becomes of one that does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mojo_seq import AbortedError, RunLoop, create_data_pipe, create_message_pipe
from mojo_seq.cli import workers
from mojo_seq.cli.lost_worker import LostWorker
from mojo_seq.cli.records import to_message
from mojo_seq.cli.workers import WorkerProcesses, serve

pytestmark = pytest.mark.across_processes

HELPERS = str(Path(__file__).parent / "helpers")
TIMEOUT = 30.0


def test_serving_ends_when_the_reader_is_gone() -> None:
    reader, worker = create_message_pipe()
    producer, consumer = create_data_pipe()
    with producer:
        reader.write(b"", [consumer])
        reader.write_message(to_message([[0, True]]))
        reader.close()
        serve(worker)
        assert not worker.is_valid
        assert producer.query_signals_state().peer_closed


def test_a_defect_ends_serving_and_is_raised() -> None:
    reader, worker = create_message_pipe()
    producer, consumer = create_data_pipe()
    with reader, producer:
        reader.write(b"", [consumer])
        reader.write(b"no JSON")
        with pytest.raises(ValueError, match="Expecting value"):
            serve(worker)
        assert not worker.is_valid


def test_processes_that_are_killed_while_they_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def spawn_process(*args: object, **kwargs: object) -> None:
        raise AbortedError("the interpreter ended before it had begun")

    monkeypatch.setattr(workers, "spawn_process", spawn_process)
    processes = WorkerProcesses(2)
    pipes = processes.start(lambda: RunLoop().task_runner)
    assert [pipe.query_signals_state().peer_closed for pipe in pipes] == [True, True]
    assert processes.explain_loss(2) == LostWorker(2, None, None)
    processes.kill()
    processes.close()
    for pipe in pipes:
        pipe.close()


def demo_with(target: str, folder: Path, grace: float) -> subprocess.CompletedProcess[str]:
    """A demo of two processes that run a function of `odd_workers`, over 500 files; they get so
    many seconds to end by themselves."""
    files = folder / "files"
    files.mkdir()
    for number in range(500):
        (files / f"{number}").write_text(f"{number}")
    script = f"""if True:
        import sys
        sys.path.insert(0, {HELPERS!r})
        import odd_workers
        from mojo_seq.cli import demo, workers
        workers.serve = odd_workers.{target}
        workers.GRACE_PERIOD = {grace}
        sys.exit(demo.main([{str(files)!r}], 2, in_processes=True, as_json=True))
    """
    env = {**os.environ, "MARKER": str(folder / "marker")}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env)


def test_a_defect_is_told_with_its_traceback(tmp_path: Path) -> None:
    done = demo_with("with_a_defect", tmp_path, TIMEOUT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "LookupError: a defect" in done.stderr  # by way of this process's logging
    for number in (1, 2):
        assert f"process 'worker {number}' (pid" in done.stderr
        assert f"worker {number} (pid" in done.stderr
    assert done.stderr.count("ended with exit code 1\n") == 2
    assert done.stderr.splitlines()[-1] == "error: all workers have died, and files are left"


def test_a_worker_that_leaves(tmp_path: Path) -> None:
    done = demo_with("one_leaves", tmp_path, TIMEOUT)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["summary"]["files"] == len(data["files"]) == 500
    (lost,) = data["lost_workers"]
    assert (lost["exitcode"], lost["reason"]) == (3, "ended with exit code 3")


def test_a_worker_that_closes_its_pipe_and_stays(tmp_path: Path) -> None:
    done = demo_with("deaf", tmp_path, 0.5)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("was killed by SIGKILL\n") == 2  # by the demo
    assert done.stderr.splitlines()[-1] == "error: all workers have died, and files are left"


def test_a_worker_that_does_not_end_at_the_end(tmp_path: Path) -> None:
    done = demo_with("lingering", tmp_path, 0.5)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["summary"]["files"], data["lost_workers"]) == (500, [])
