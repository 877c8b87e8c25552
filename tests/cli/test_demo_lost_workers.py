"""The demo when its worker processes are killed, stopped or interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anchors import Anchors, at_work
from demo_under_way import DemoUnderWay, Finished, Process, until

pytestmark = pytest.mark.across_processes

SparseFile = Callable[[str, int], Path]
Expected = dict[str, tuple[int, str]]
Moment = Callable[[DemoUnderWay, Process], None]
MIB = 1024 * 1024


def at_birth(demo: DemoUnderWay, worker: Process) -> None:
    """It is hardly more than a process."""


def with_its_stream(demo: DemoUnderWay, worker: Process) -> None:
    until(worker.has_stream)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough to keep three workers busy for some time."""
    root = tmp_path_factory.mktemp("tree")
    block = np.random.default_rng(1).bytes(MIB)
    for number in range(12):
        with (root / f"large{number}").open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(32 * MIB)
    for number in range(2000):
        (root / f"small{number}").write_bytes(block[: number * 5])
    (root / "empty").touch()
    return root


@pytest.fixture(scope="module")
def expected(tree: Path) -> Expected:
    contents = ((path, path.read_bytes()) for path in tree.iterdir())
    return {str(path): (len(data), hashlib.sha256(data).hexdigest()) for path, data in contents}


def check(data: dict[str, Any], expected: Expected, anchors: Anchors) -> None:
    """Every file is there, once, and so is each in the totals."""
    # An anchor was either cut off in the middle, or begun anew when it was empty.
    cut_off = {each["path"] for each in data["problems"]}
    assert cut_off <= set(map(str, anchors.paths))
    nothing = (0, hashlib.sha256().hexdigest())
    expected = expected | {str(p): nothing for p in anchors.paths if str(p) not in cut_off}
    assert {f["path"]: (f["size"], f["sha256"]) for f in data["files"]} == expected
    summary = data["summary"]
    assert len(data["files"]) == len(expected) == summary["files"]
    assert summary["bytes"] == sum(size for size, _ in expected.values())
    assert sum(each["files"] for each in data["entropy"]) == len(expected)
    assert (summary["problems"], summary["interrupted"]) == (len(cut_off), False)


def lost(data: dict[str, Any]) -> dict[int, str]:
    """pid -> what became of it."""
    for each in data["lost_workers"]:
        assert each["worker"] in range(1, data["summary"]["workers"] + 1)
    return {each["pid"]: each["reason"] for each in data["lost_workers"]}


def check_killed(done: Finished, worker: Process) -> None:
    assert lost(done.data) == {worker.pid: "was killed by SIGKILL"}
    (record,) = done.data["lost_workers"]
    number = record["worker"]
    assert record["exitcode"] == -9
    assert f"worker {number} (pid {worker.pid}) was killed by SIGKILL\n" in done.stderr


@pytest.mark.parametrize(
    "moment", [at_birth, with_its_stream, at_work], ids=lambda moment: moment.__name__
)
def test_a_worker_that_is_killed(
    tree: Path, expected: Expected, anchors: Anchors, moment: Moment
) -> None:
    with DemoUnderWay(3, tree, *anchors.paths, "--json") as demo:
        worker = demo.workers[1]
        moment(demo, worker)
        worker.kill()
        worker.wait_until_missed()
        anchors.weigh()
        done = demo.finish()
    check(done.data, expected, anchors)
    check_killed(done, worker)


def test_a_worker_that_is_killed_when_all_others_have_finished(
    tree: Path, expected: Expected, anchors: Anchors
) -> None:
    with DemoUnderWay(3, *anchors.paths, tree, "--json") as demo:
        worker = demo.workers[1]
        anchors.leave_only_to(worker, demo)
        worker.kill()
        done = demo.finish()
    check(done.data, expected, anchors)
    check_killed(done, worker)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1])
def test_other_ways_to_die(
    tree: Path, expected: Expected, anchors: Anchors, number: signal.Signals
) -> None:
    with DemoUnderWay(3, tree, *anchors.paths, "--json") as demo:
        worker = demo.workers[0]
        at_work(demo, worker)
        worker.kill(number)
        worker.wait_until_missed()
        anchors.weigh()
        data = demo.finish().data
    check(data, expected, anchors)
    assert lost(data) == {worker.pid: f"was killed by {number.name}"}


def test_all_workers_but_one_are_killed_one_after_the_other(
    tree: Path, expected: Expected, anchors: Anchors
) -> None:
    with DemoUnderWay(4, tree, *anchors.paths, "--json") as demo:
        *mortals, heir = demo.workers
        until(heir.has_stream)
        heir.stop()
        for worker in mortals:
            until(worker.has_stream)
            worker.kill()
            worker.wait_until_missed()
        anchors.weigh()
        heir.resume()
        data = demo.finish().data
    check(data, expected, anchors)
    assert lost(data) == {worker.pid: "was killed by SIGKILL" for worker in mortals}


def test_the_table_tells_of_it(tree: Path, anchors: Anchors) -> None:
    with DemoUnderWay(2, *anchors.paths, tree) as demo:
        worker = demo.workers[0]
        anchors.leave_only_to(worker, demo)
        worker.kill()
        done = demo.finish()
    assert done.returncode == 0
    section = done.stdout.partition("Lost workers\n")[2]
    assert str(worker.pid) in section and "was killed by SIGKILL" in section


@pytest.mark.parametrize("moment", [at_birth, at_work], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("processes", [1, 3])
def test_all_workers_are_killed(sparse_file: SparseFile, moment: Moment, processes: int) -> None:
    path = sparse_file("endless", 1 << 40)
    with DemoUnderWay(processes, path, "--json") as demo:
        # Only one of them has work, and nobody knows which: its heirs are killed before it.
        for worker in demo.workers:
            until(worker.has_stream)
        if moment is at_work:
            until(lambda: any(worker.used() > 1.0 for worker in demo.workers))
        for worker in sorted(demo.workers, key=Process.used):
            worker.kill()
        done = demo.finish()
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[-1] == "error: all workers have died, and files are left"
    assert sum("was killed by SIGKILL" in line for line in lines) == processes
    for worker in demo.workers:
        assert f"(pid {worker.pid}) was killed by SIGKILL" in done.stderr


def test_a_worker_that_is_stopped_for_a_while(
    tree: Path, expected: Expected, anchors: Anchors
) -> None:
    with DemoUnderWay(3, *anchors.paths, tree, "--json") as demo:
        worker = demo.workers[2]
        anchors.leave_only_to(worker, demo)
        assert demo.popen.poll() is None  # it has what nobody else has
        worker.resume()
        data = demo.finish().data
    check(data, expected, anchors)
    assert lost(data) == {}


def test_all_workers_are_stopped_for_a_while(
    tree: Path, expected: Expected, anchors: Anchors
) -> None:
    with DemoUnderWay(2, tree, *anchors.paths, "--json") as demo:
        for worker in demo.workers:
            worker.stop()
        demo.wait_until_idle()
        anchors.weigh()
        for worker in demo.workers:
            worker.resume()
        data = demo.finish().data
    check(data, expected, anchors)
    assert lost(data) == {}


@pytest.mark.parametrize("moment", [at_birth, at_work], ids=lambda moment: moment.__name__)
def test_ctrl_c_gives_a_partial_report_and_130(
    tree: Path, sparse_file: SparseFile, moment: Moment
) -> None:
    endless = [sparse_file(name, 1 << 40) for name in ("1", "2")]
    with DemoUnderWay(2, tree, *endless, "--json") as demo:
        moment(demo, demo.workers[0])
        demo.interrupt()
        done = demo.finish()
    assert done.returncode == 130, done.stderr
    data = json.loads(done.stdout)
    assert data["summary"]["interrupted"] is True
    assert data["lost_workers"] == []  # it was us who ended them
    assert {Path(f["path"]).name for f in data["files"]}.isdisjoint({"1", "2"})


def test_ctrl_c_while_a_worker_is_stopped(sparse_file: SparseFile) -> None:
    with DemoUnderWay(2, sparse_file("endless", 1 << 40), "--json") as demo:
        for worker in demo.workers:
            until(worker.has_stream)
            worker.stop()
        demo.wait_until_idle()  # the reader has nothing to do but to wait
        demo.interrupt()
        done = demo.finish()
    assert done.returncode == 130, done.stderr
    assert json.loads(done.stdout)["lost_workers"] == []


def test_ctrl_c_twice_while_a_worker_is_stopped(sparse_file: SparseFile) -> None:
    with DemoUnderWay(2, sparse_file("endless", 1 << 40), "--json") as demo:
        for worker in demo.workers:
            until(worker.has_stream)
            worker.stop()

        def has_ended() -> bool:
            demo.interrupt()
            return demo.popen.poll() is not None

        until(has_ended)
        assert demo.finish().returncode == 130


def test_a_worker_ignores_ctrl_c_of_its_own(
    tree: Path, expected: Expected, anchors: Anchors
) -> None:
    with DemoUnderWay(2, tree, *anchors.paths, "--json") as demo:
        for worker in demo.workers:
            worker.kill(signal.SIGINT)
        at_work(demo, demo.workers[0])
        for worker in demo.workers:
            worker.kill(signal.SIGINT)
        anchors.weigh()
        data = demo.finish().data
    check(data, expected, anchors)
    assert lost(data) == {}


@pytest.mark.parametrize("moment", [at_birth, at_work], ids=lambda moment: moment.__name__)
def test_workers_do_not_outlive_a_demo_that_is_killed(
    sparse_file: SparseFile, moment: Moment
) -> None:
    with DemoUnderWay(3, *(sparse_file(f"{n}", 1 << 40) for n in range(3))) as demo:
        moment(demo, demo.workers[0])
        os.kill(demo.popen.pid, signal.SIGKILL)
        demo.popen.communicate()
        for worker in demo.workers:
            worker.wait_for_end()
