"""A thread that is started once, whatever interrupts who starts it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mojo_seq import ResourceExhaustedError
from mojo_seq.sequence.only_thread import OnlyThread

TIMEOUT = 20.0
START = threading.Thread.start


def interrupt(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """The next start of a thread is interrupted, before or after it runs."""

    def start(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", START)
        if when == "after":
            START(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)


@pytest.fixture
def runs() -> list[threading.Thread]:
    return []


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def only(runs: list[threading.Thread], gate: threading.Event) -> OnlyThread:
    def run() -> None:
        runs.append(threading.current_thread())
        assert gate.wait(TIMEOUT)

    return OnlyThread(run, "only")


def test_it_runs_once(
    only: OnlyThread, runs: list[threading.Thread], gate: threading.Event
) -> None:
    assert not only.may_run
    for _ in range(3):
        only.start()
    assert only.may_run
    assert only.is_started
    assert not only.wait(0)
    gate.set()
    only.join()
    only.join()
    assert only.wait(0)
    (thread,) = runs
    assert thread.name == "only"
    assert thread.daemon
    assert not thread.is_alive()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_start_may_be_repeated(
    only: OnlyThread,
    runs: list[threading.Thread],
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    interrupt(monkeypatch, when)
    with pytest.raises(KeyboardInterrupt):
        only.start()
    assert not only.is_started
    only.start()
    gate.set()
    only.join()
    assert len(runs) == 1


def test_what_was_not_started_never_runs(only: OnlyThread, runs: list[threading.Thread]) -> None:
    assert only.wait(0)
    only.join()
    only.start()
    only.join()
    assert runs == []


def test_what_was_started_runs_though_it_is_waited_for_first(
    only: OnlyThread,
    runs: list[threading.Thread],
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late: list[threading.Thread] = []

    def start_later(thread: threading.Thread) -> None:
        late.append(thread)

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", start_later)
        only.start()
    assert not only.wait(0)
    START(late[0])
    gate.set()
    only.join()
    assert len(runs) == 1


def test_it_is_known_which_thread_it_is() -> None:
    seen: list[bool] = []

    def run() -> None:
        seen.append(thread.is_current)

    thread = OnlyThread(run, "only")
    assert not thread.is_current
    thread.start()
    thread.join()
    assert seen == [True]


def test_no_thread_to_be_had(only: OnlyThread, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ResourceExhaustedError, match="no thread to be had"):
            only.start()
    assert not only.may_run
    only.join()


def test_an_interrupt_within_threading_is_one(
    only: OnlyThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("release unlocked lock")  # as conditions do that are interrupted

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            only.start()
    only.join()


def test_many_start_it_at_once(
    only: OnlyThread, runs: list[threading.Thread], gate: threading.Event
) -> None:
    starters: list[Callable[[], None]] = [only.start] * 8
    threads = [threading.Thread(target=each) for each in starters]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    only.join()
    assert len(runs) == 1
