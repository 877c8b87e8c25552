"""StderrTee: what processes write is passed on, and the end of it is remembered."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from mojo_seq.pool import stderr_tee
from mojo_seq.pool.stderr_tee import StderrTee


@pytest.fixture(autouse=True)
def nobody_is_in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for its thread for as long as that takes, not for a moment."""
    for name in ("_MOMENT", "_LAST_MOMENTS"):
        monkeypatch.setattr(stderr_tee, name, 30.0)


@pytest.fixture
def tee() -> Iterator[StderrTee]:
    made = StderrTee()
    yield made
    made.close()


def test_it_is_passed_on_and_remembered(tee: StderrTee, capfd: pytest.CaptureFixture[str]) -> None:
    tail, fd = tee.add()
    os.write(fd, b"one\ntw")
    tail.drain()
    os.write(fd, b"o\nthree")
    tail.drain()
    assert tail.text() == "one\ntwo\nthree"
    assert capfd.readouterr().err == "one\ntwo\nthree"
    os.close(fd)


def test_only_the_last_lines_are_remembered(
    tee: StderrTee, capfd: pytest.CaptureFixture[str]
) -> None:
    tail, fd = tee.add()
    for number in range(1000):
        os.write(fd, b"%d\n" % number)
    os.write(fd, b"x" * 50_000)
    tail.drain()
    lines = tail.text().split("\n")
    assert lines[:-1] == [str(number) for number in range(981, 1000)]
    assert lines[-1] == "x" * 2000
    assert len(capfd.readouterr().err) == 50_000 + sum(len(f"{n}\n") for n in range(1000))
    os.close(fd)


def test_what_is_no_text(tee: StderrTee, capfd: pytest.CaptureFixture[str]) -> None:
    tail, fd = tee.add()
    os.write(fd, b"\xff\n")
    tail.drain()
    assert tail.text() == "\N{REPLACEMENT CHARACTER}"
    os.close(fd)


def test_each_has_its_own(tee: StderrTee, capfd: pytest.CaptureFixture[str]) -> None:
    tails = [tee.add() for _ in range(5)]
    for number, (_, fd) in enumerate(tails):
        os.write(fd, b"%d" % number)
        os.close(fd)
    for number, (tail, _) in enumerate(tails):
        tail.drain()
        assert tail.text() == str(number)


def test_what_was_written_before_the_end_is_passed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    tee = StderrTee()
    tail, fd = tee.add()
    os.write(fd, b"last words")
    tee.close()
    assert tail.text() == capfd.readouterr().err == "last words"
    os.close(fd)


def test_one_that_was_not_used_has_no_thread() -> None:
    before = threading.active_count()
    StderrTee().close()
    assert threading.active_count() == before
