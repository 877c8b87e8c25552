"""The demo with its workers in processes: it finds the same, and nothing is left of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anchors import Anchors, at_work
from demo_under_way import DemoUnderWay

pytestmark = pytest.mark.across_processes

DemoJson = Callable[..., dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]
SparseFile = Callable[[str, int], Path]
MIB = 1024 * 1024


@pytest.fixture
def odd_tree(tmp_path: Path) -> Path:
    """Empty files, large ones, many small ones, duplicates, odd names, and what is no file."""
    root = tmp_path / "tree"
    random = np.random.default_rng(1)
    for folder in (b"", b"deep/er/and/deeper", b"caf\xe9", b"new\nline", b"-x"):
        path = Path(os.fsdecode(os.path.join(bytes(root), folder)))
        path.mkdir(parents=True, exist_ok=True)
        (path / "empty").touch()
        (path / "one").write_bytes(b"1")
        (path / "\u00fc\U0001f40d").write_bytes(random.bytes(1000))
        (path / "same").write_bytes(b"same" * 100_000)
    for size in (524_287, 524_288, 524_289, 2 * MIB, 2 * MIB + 1, 9 * MIB + 7):
        (root / f"size{size}").write_bytes(random.bytes(size))
    (root / "many").mkdir()
    for number in range(700):
        (root / "many" / f"{number}").write_bytes(random.bytes(number % 50))
    os.mkfifo(root / "fifo")
    (root / "broken").symlink_to("nowhere")
    (root / "to the root").symlink_to(root)
    return root


def digests(root: Path) -> dict[str, tuple[int, str]]:
    """What hashlib says of every regular file."""
    found = {}
    for folder, _, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path) and not os.path.islink(path):
                content = Path(path).read_bytes()
                found[path] = (len(content), hashlib.sha256(content).hexdigest())
    return found


def comparable(data: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on speed: times, and who was first."""
    summary = {k: v for k, v in data["summary"].items() if k not in ("seconds", "mb_per_second")}
    by_path = {
        key: sorted(data[key], key=lambda each: str(each["path"])) for key in ("files", "problems")
    }
    return {**data, **by_path, "summary": summary}


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_digests_equal_those_of_hashlib(
    demo_json: DemoJson, odd_tree: Path, processes: int
) -> None:
    data = demo_json(odd_tree, "--processes", processes)
    assert data["summary"]["workers"] == processes
    assert {f["path"]: (f["size"], f["sha256"]) for f in data["files"]} == digests(odd_tree)
    assert data["lost_workers"] == []


def test_everything_is_as_with_sequences(demo_json: DemoJson, odd_tree: Path) -> None:
    in_processes = demo_json(odd_tree, "--processes", "3")
    on_sequences = demo_json(odd_tree, "--workers", "3")
    assert comparable(in_processes) == comparable(on_sequences)
    assert in_processes["summary"]["problems"] == 2


def test_the_table_is_as_with_sequences(run_demo: Run, odd_tree: Path) -> None:
    def rows(option: str) -> list[str]:
        done = run_demo(odd_tree, option, "2", env={**os.environ, "COLUMNS": "200"})
        assert done.returncode == 0, done.stderr
        assert "2 workers" in done.stdout
        facts = ("speed", "time")  # the rest of their rows differs from run to run
        lines = (re.split("|".join(facts), line)[0] for line in done.stdout.splitlines())
        return sorted(lines)  # problems are in the order they were met

    assert rows("--processes") == rows("--workers")


def test_an_empty_tree_needs_no_worker(demo_json: DemoJson, tmp_path: Path) -> None:
    data = demo_json(tmp_path, "--processes", "2")
    assert (data["files"], data["lost_workers"]) == ([], [])


def test_it_works_in_processes_and_leaves_none(sparse_file: SparseFile, anchors: Anchors) -> None:
    path = sparse_file("zeros", 120 * MIB)
    with DemoUnderWay(3, path, *anchors.paths, "--json") as demo:
        assert len({worker.pid for worker in demo.workers} - {demo.popen.pid}) == 3
        for worker in demo.workers:
            at_work(demo, worker)
        anchors.weigh()
        data = demo.finish().data
        assert not any(worker.is_alive() for worker in demo.workers)
    (record,) = (each for each in data["files"] if each["path"] == str(path))
    digest = hashlib.sha256()
    for _ in range(120):
        digest.update(bytes(MIB))
    assert (record["size"], record["sha256"]) == (120 * MIB, digest.hexdigest())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--processes", "0"], "must be a number from 1 to 64, not '0'"),
        (["--processes", "65"], "must be a number from 1 to 64, not '65'"),
        (["--processes", "-1"], "must be a number from 1 to 64, not '-1'"),
        (["--processes", "two"], "must be a number from 1 to 64, not 'two'"),
        (["--processes", "1.5"], "must be a number from 1 to 64, not '1.5'"),
        (["--processes", ""], "must be a number from 1 to 64, not ''"),
        (["--processes"], "expected one argument"),
        (["--processes", "2", "--workers", "2"], "not allowed with argument --processes"),
        (["--processes", "2", "/no/such/path"], "'/no/such/path'"),
    ],
)
def test_wrong_arguments_end_with_2_and_one_clear_line(
    run_demo: Run, arguments: list[str], complaint: str
) -> None:
    done = run_demo(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert "error: " in last and complaint in last


def test_too_few_descriptors_for_so_many_processes(run_demo: Run, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    done = run_demo(tmp_path, "--processes", "64", preexec_fn=limit)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


def test_the_reader_of_the_output_may_go_away(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"{number}").touch()
    command = f"{sys.executable} -m mojo_seq demo --json --processes 2 {tmp_path} | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout == "{"
    assert "Error" not in done.stderr and "Traceback" not in done.stderr


def test_json_is_alone_on_stdout(run_demo: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    done = run_demo(tmp_path, "--json", "--processes", "2")
    data = json.loads(done.stdout)
    assert list(data) == ["summary", "entropy", "duplicates", "problems", "lost_workers", "files"]
    assert done.stderr.startswith(f"hashing {tmp_path}\n")
