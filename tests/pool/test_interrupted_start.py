"""Ctrl-C while a pool starts its threads: the pool goes on, with one thread of each kind."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from mojo_seq import ProcessPool

TIMEOUT = 60.0
START = threading.Thread.start


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["mojo_seq-answers", "mojo_seq-workers"])
def test_an_interrupted_start(monkeypatch: pytest.MonkeyPatch, name: str, when: str) -> None:
    def start(thread: threading.Thread) -> None:
        if thread.name != name:
            START(thread)
            return
        monkeypatch.setattr(threading.Thread, "start", START)
        if when == "after":
            START(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    with ProcessPool(2) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.submit(abs, -1)
        assert pool.submit(abs, -5).result(TIMEOUT) == 5
        names = Counter(thread.name for thread in threading.enumerate())
        assert (names["mojo_seq-answers"], names["mojo_seq-workers"]) == (1, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["mojo_seq-answers", "mojo_seq-workers"])
def test_a_pool_that_was_only_interrupted_ends(
    monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    def start(thread: threading.Thread) -> None:
        if thread.name != name or when == "after":
            START(thread)
        if thread.name == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", start)
        pool = ProcessPool(2)
        with pytest.raises(KeyboardInterrupt):
            pool.submit(abs, -1)
    pool.shutdown()
