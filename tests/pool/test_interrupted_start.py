"""Ctrl-C while a pool starts its threads: the pool goes on, with one thread of each kind."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from polling import eventually

from mojo_seq import ProcessPool

TIMEOUT = 60.0
START = threading.Thread.start


def threads() -> Counter[str]:
    """Those of pools. One that finds another at its work ends at once, which takes a moment."""
    kinds = ("mojo_seq-answers", "mojo_seq-workers")
    return Counter(each.name for each in threading.enumerate() if each.name in kinds)


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
        eventually(lambda: threads() == {"mojo_seq-answers": 1, "mojo_seq-workers": 1})


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
