"""100,000 actors are alive on 4 threads (issue)."""

from __future__ import annotations

import time

import pytest
from troupe import TIMEOUT
from troupe.basic import Counter

from mojo_seq import ActorSystem

COUNT = 100_000


@pytest.mark.timeout(300)
def test_a_hundred_thousand_actors_are_alive_and_answer(system: ActorSystem) -> None:
    refs = [system.spawn(Counter, number) for number in range(COUNT)]
    replies = [ref.add(1) for ref in refs]
    assert [reply.result(6 * TIMEOUT) for reply in replies] == list(range(1, COUNT + 1))
    assert all(ref.is_alive for ref in refs)
    assert len(set(refs)) == COUNT
    began = time.monotonic()
    system.shutdown(60.0)
    print(f"ended in {time.monotonic() - began:.2f} s")
    assert not any(ref.is_alive for ref in refs)


def test_a_thousand_names(system: ActorSystem) -> None:
    refs = [system.spawn(Counter, name=f"counter {number}") for number in range(1000)]
    assert [system.find(f"counter {number}") for number in range(1000)] == refs


def test_ten_thousand_lives(system: ActorSystem) -> None:
    for _ in range(100):
        refs = [system.spawn(Counter) for _ in range(100)]
        replies = [ref.add(1) for ref in refs]
        for ref in refs:
            ref.stop()
        assert [reply.result(TIMEOUT) for reply in replies] == [1] * 100
