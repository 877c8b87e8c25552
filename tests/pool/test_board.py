"""Board: pool and worker always agree on whether a task has begun."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mojo_seq.pool import board
from mojo_seq.pool.board import PLACES, Board


@pytest.fixture
def sides() -> Iterator[tuple[Board, Board]]:
    """The pool's and the worker's."""
    pool, memory = board.create()
    with memory:
        yield pool, Board(memory)


def test_a_task_that_begins_cannot_be_revoked(sides: tuple[Board, Board]) -> None:
    pool, worker = sides
    pool.put(5)
    assert not pool.has_begun(5)
    assert worker.begin(5)
    assert pool.has_begun(5)
    assert not pool.revoke(5)


def test_a_task_that_is_revoked_cannot_begin(sides: tuple[Board, Board]) -> None:
    pool, worker = sides
    pool.put(5)
    assert pool.revoke(5)
    assert not pool.revoke(5)
    assert not worker.begin(5)
    assert not pool.has_begun(5)


def test_only_what_has_begun_is_asked_to_end(sides: tuple[Board, Board]) -> None:
    pool, worker = sides
    pool.put(1)
    pool.request_cancel(1)
    assert worker.begin(1)
    assert not worker.is_cancelled(1)
    pool.request_cancel(1)
    assert worker.is_cancelled(1)
    assert pool.has_begun(1)


def test_a_place_is_used_again(sides: tuple[Board, Board]) -> None:
    pool, worker = sides
    for number in (3, 3 + PLACES, 3 + 5 * PLACES):
        pool.put(number)
        assert not pool.has_begun(number)
        assert worker.begin(number)


@pytest.mark.parametrize("first", [0, 5, PLACES - 3, PLACES - 1, 7 * PLACES - 2])
def test_many_are_put_at_once_also_over_the_end(sides: tuple[Board, Board], first: int) -> None:
    pool, worker = sides
    for number in range(first - 1, first + 6):
        pool.put(number)
        assert worker.begin(number)
    pool.put_many(first, 5)
    assert [pool.has_begun(each) for each in range(first - 1, first + 6)] == [
        True,
        False,
        False,
        False,
        False,
        False,
        True,
    ]


def test_it_tells_how_long_a_task_has_run_for(
    sides: tuple[Board, Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounded down, also over the end of what a word can hold."""
    pool, worker = sides
    for now in (1.0, 4294967.2955, 4294967.296):
        monkeypatch.setattr(board, "monotonic", lambda now=now: now)
        pool.put(0)
        assert worker.begin_timed(0)
        assert pool.running_for(0) == 0.0
        monkeypatch.setattr(board, "monotonic", lambda now=now: now + 1.5)
        assert 1.499 <= pool.running_for(0) <= 1.5
