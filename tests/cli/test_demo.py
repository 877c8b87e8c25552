"""The demo on healthy input: what it finds is true, and what it prints can be used."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sysconfig
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DemoJson = Callable[..., dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def sha256sums(root: str, pattern: str) -> dict[str, str]:
    """What `find` and `sha256sum` say."""
    find = ["find", root, "-type", "f", "-name", pattern, "-print0"]
    names = subprocess.run(find, capture_output=True, check=True).stdout
    sums = ["xargs", "-0", "sha256sum", "--zero"]
    output = subprocess.run(sums, input=names, capture_output=True, check=True).stdout
    lines = (line.decode().split("  ", 1) for line in output.split(b"\0") if line)
    return {path: digest for digest, path in lines}


def test_digests_of_the_standard_library_equal_sha256sum(demo_json: DemoJson) -> None:
    root = sysconfig.get_path("stdlib")
    expected = sha256sums(root, "*.py")
    assert len(expected) > 500

    data = demo_json()  # the default path is the folder of the standard library

    assert data["summary"]["paths"] == [root]
    found = {f["path"]: f["sha256"] for f in data["files"] if f["path"].endswith(".py")}
    assert found == expected


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_gives_the_same_results(
    demo_json: DemoJson, tmp_path: Path, workers: int
) -> None:
    contents = {f"{n:03}": bytes([n % 256]) * (n * 997) for n in range(300)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

    data = demo_json(tmp_path, "--workers", str(workers))

    assert data["summary"]["workers"] == workers
    assert {Path(f["path"]).name: (f["size"], f["sha256"]) for f in data["files"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    }


@pytest.mark.parametrize(
    "nbytes", [0, 1, 524_287, 524_288, 524_289, 2_097_151, 2_097_152, 2_097_153]
)
def test_sizes_around_those_of_chunks_and_pipes(
    demo_json: DemoJson, tmp_path: Path, nbytes: int
) -> None:
    content = np.random.default_rng(nbytes).bytes(nbytes)
    (tmp_path / "file").write_bytes(content)

    (record,) = demo_json(tmp_path)["files"]

    assert (record["size"], record["sha256"]) == (nbytes, hashlib.sha256(content).hexdigest())


def test_a_file_of_many_times_the_pipes_capacity(demo_json: DemoJson, tmp_path: Path) -> None:
    block = np.random.default_rng(1).bytes(1_000_003)
    (tmp_path / "file").write_bytes(block * 40)

    (record,) = demo_json(tmp_path / "file", "--workers", "1")["files"]

    assert record["path"] == str(tmp_path / "file")
    assert record["sha256"] == hashlib.sha256(block * 40).hexdigest()


def test_entropy_equals_a_direct_computation(demo_json: DemoJson, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    contents = {
        "empty": b"",
        "constant": b"a" * 1000,
        "two": b"ab" * 500,
        "all": bytes(range(256)) * 3,
        "text": Path(__file__).read_bytes(),
        "skewed": random.geometric(0.1, 2_000_000).clip(0, 255).astype(np.uint8).tobytes(),
        "noise": random.bytes(3_000_000),
    }
    expected = {}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        counts = np.unique(np.frombuffer(content, np.uint8), return_counts=True)[1]
        shares = counts / max(len(content), 1)
        expected[name] = float((shares * np.log2(1 / shares)).sum())

    data = demo_json(tmp_path)

    found = {Path(f["path"]).name: f["entropy"] for f in data["files"]}
    assert found == pytest.approx(expected, abs=1e-9)
    assert (found["constant"], found["two"], found["all"]) == (0.0, 1.0, 8.0)
    bins = data["entropy"]
    assert [(b["low"], b["high"]) for b in bins] == [(n / 2, n / 2 + 0.5) for n in range(16)]
    for number, low_high in enumerate(bins):
        inside = [n for n, bits in found.items() if min(int(bits * 2), 15) == number]
        assert low_high["files"] == len(inside)
        assert low_high["bytes"] == sum(len(contents[n]) for n in inside)


def test_groups_of_duplicates(demo_json: DemoJson, tmp_path: Path) -> None:
    groups = {b"": 2, b"x": 3, b"y" * 5000: 2, b"alone": 1, b"z" * 10: 4}
    paths = defaultdict(list)
    for content, copies in groups.items():
        for copy in range(copies):
            folder = tmp_path / f"folder{copy}"
            folder.mkdir(exist_ok=True)
            path = folder / hashlib.md5(content).hexdigest()
            path.write_bytes(content)
            paths[hashlib.sha256(content).hexdigest()].append(str(path))

    data = demo_json(tmp_path)

    duplicates = data["duplicates"]
    assert {group["sha256"]: group["paths"] for group in duplicates} == {
        digest: sorted(names) for digest, names in paths.items() if len(names) > 1
    }
    assert [group["size"] for group in duplicates] == [5000, 10, 1, 0]  # by waste: 5000, 30, 2, 0
    assert data["summary"]["duplicate_groups"] == 4
    assert data["summary"]["wasted_bytes"] == 5032


def test_json_is_complete_and_alone_on_stdout(run_demo: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    done = run_demo(tmp_path, "--json", "--workers", "2")

    data = json.loads(done.stdout)
    assert list(data) == [
        "summary",
        "entropy",
        "duplicates",
        "problems",
        "lost_workers",
        "files",
    ]
    seconds = data["summary"].pop("seconds")
    speed = data["summary"].pop("mb_per_second")
    assert seconds > 0 and speed >= 0
    assert data["summary"] == {
        "paths": [str(tmp_path)],
        "workers": 2,
        "files": 1,
        "bytes": 5,
        "duplicate_groups": 0,
        "wasted_bytes": 0,
        "problems": 0,
        "interrupted": False,
    }
    (record,) = data["files"]
    assert record == {
        "path": str(tmp_path / "a"),
        "size": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "entropy": pytest.approx(1.9219280948873623),
    }
    assert done.stderr.startswith(f"hashing {tmp_path}\n")


def test_an_empty_folder_is_a_fine_tree(run_demo: Run, demo_json: DemoJson, tmp_path: Path) -> None:
    data = demo_json(tmp_path)
    assert (data["summary"]["files"], data["files"], data["duplicates"]) == (0, [], [])
    assert run_demo(tmp_path).returncode == 0


def test_paths_inside_others_are_counted_once(demo_json: DemoJson, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(b"once")
    (tmp_path / "inner2").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "inner")

    data = demo_json(
        tmp_path / "inner", tmp_path, tmp_path / "inner", tmp_path / "link", tmp_path / "inner2"
    )

    assert data["summary"]["paths"] == [str(tmp_path)]
    assert [f["path"] for f in data["files"]] == [str(tmp_path / "inner" / "file")]
