"""mojo_seq.cli.walk"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mojo_seq.cli.walk import Problem, Survey, distinct_roots, survey, walk


def test_every_regular_file_once(tmp_path: Path) -> None:
    expected = set()
    for folder in ("", "a", "a/b", "c"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("x", "y"):
            path = tmp_path / folder / name
            path.touch()
            expected.add(str(path))
    found = list(walk([str(tmp_path)]))
    assert len(found) == len(expected) and set(found) == expected


def test_roots_can_be_files_and_are_visited_in_order(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("b", "a", "c")]
    for name in names:
        Path(name).touch()
    assert list(walk(names)) == names


def test_a_folder_that_cannot_be_listed_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "file").touch()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert sorted(walk([str(tmp_path)]), key=str) == [
        str(tmp_path / "file"),
        Problem(str(tmp_path / "secret"), "unreadable", "Permission denied"),
    ]


def test_a_root_that_has_gone_is_a_problem(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert list(walk([gone])) == [Problem(gone, "unreadable", os.strerror(2))]


def test_a_deep_tree_needs_one_open_folder_at_a_time(tmp_path: Path) -> None:
    folder = str(tmp_path)
    for _ in range(300):
        folder = os.path.join(folder, "d")
        os.mkdir(folder)
    Path(folder, "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    found = walk([str(tmp_path)])
    assert next(found) == os.path.join(folder, "file")
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert list(found) == []


def test_distinct_roots(tmp_path: Path) -> None:
    for name in ("a", "ab", "a/b"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("a")
    a, ab, inner, link = (str(tmp_path / name) for name in ("a", "ab", "a/b", "link"))
    assert distinct_roots([inner, a, ab, a, link]) == [a, ab]
    assert distinct_roots([link, inner]) == [link]
    assert distinct_roots(["/", a]) == ["/"]


def test_survey_counts_files_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123")
    (tmp_path / "link").symlink_to("b")
    assert survey([str(tmp_path)], lambda: False) == Survey(2, 8)
    assert survey([str(tmp_path)], lambda: True) == Survey(0, 0)
