"""RestartBackoff: the pauses between a worker's death and the next one's start."""

from __future__ import annotations

from mojo_seq.pool.restart_backoff import RestartBackoff


def test_a_second_of_life_is_enough_to_be_replaced_at_once() -> None:
    backoff = RestartBackoff()
    assert [backoff.next_pause(lifetime) for lifetime in (1.0, 1.0, 3600.0)] == [0.0, 0.0, 0.0]


def test_each_early_death_doubles_the_pause_up_to_a_second() -> None:
    backoff = RestartBackoff()
    pauses = [backoff.next_pause(0.999) for _ in range(7)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_it_never_grows_beyond_that() -> None:
    backoff = RestartBackoff()
    assert max(backoff.next_pause(0.0) for _ in range(3000)) == 1.0


def test_a_longer_life_makes_good() -> None:
    backoff = RestartBackoff()
    for _ in range(5):
        backoff.next_pause(0.0)
    assert backoff.next_pause(1.5) == 0.0
    assert backoff.next_pause(0.5) == 0.05
