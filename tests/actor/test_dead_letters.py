"""Dead letters: tells that nobody will handle (public contract §11)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import RunThreads, Spawn, WaitEnded
from troupe.letters import Letters

from mojo_seq import ActorSystem, DeadLetter


def test_a_dead_letter_tells_whom_what_and_with_what(
    spawn: Spawn, letters: Letters, wait_ended: WaitEnded
) -> None:
    counter = spawn(Counter)
    counter.stop()
    wait_ended(counter)
    counter.add.tell(5)
    (letter,) = letters
    assert letter == DeadLetter(counter, "add", (5,))
    assert (letter.ref, letter.method, letter.args) == (counter, "add", (5,))


def test_asks_are_no_dead_letters(spawn: Spawn, letters: Letters, wait_ended: WaitEnded) -> None:
    counter = spawn(Counter)
    counter.kill()
    wait_ended(counter)
    assert counter.add(5).exception(TIMEOUT) is not None
    assert letters == []


def test_without_a_callback_they_are_logged(
    spawn: Spawn, system: ActorSystem, wait_ended: WaitEnded, caplog: pytest.LogCaptureFixture
) -> None:
    system.on_dead_letter = None
    counter = spawn(Counter)
    counter.stop()
    wait_ended(counter)
    with caplog.at_level(logging.INFO, "mojo_seq"):
        counter.add.tell(5)
    (record,) = [each for each in caplog.records if "dead letter" in each.getMessage()]
    assert "add" in record.getMessage()
    assert record.levelno == logging.INFO


def test_a_callback_that_raises_is_logged_and_hurts_nobody(
    spawn: Spawn, system: ActorSystem, wait_ended: WaitEnded, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(letter: DeadLetter) -> None:
        raise LookupError("of the callback")

    counter = spawn(Counter)
    counter.stop()
    wait_ended(counter)
    system.on_dead_letter = refuse
    counter.add.tell(5)
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "of the callback"
    ]


def test_the_callback_is_settable_at_any_time(
    spawn: Spawn, system: ActorSystem, wait_ended: WaitEnded, letters: Letters
) -> None:
    counter = spawn(Counter)
    counter.stop()
    wait_ended(counter)
    others: list[DeadLetter] = []
    assert system.on_dead_letter is not None
    system.on_dead_letter = others.append
    counter.add.tell(1)
    system.on_dead_letter = letters.append
    counter.add.tell(2)
    assert [letter.args for letter in others] == [(1,)]
    assert [letter.args for letter in letters] == [(2,)]
    wrong: Any = 3
    with pytest.raises(TypeError):
        system.on_dead_letter = wrong


def test_what_is_queued_when_an_actor_fails_is_dead(
    spawn: Spawn, journal: Journal, gate: Gate, letters: Letters, wait_ended: WaitEnded
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    puppet.fail.tell()
    for i in range(3):
        puppet.note.tell(i)
    asked = puppet.work()
    gate.open()
    assert wait_ended(puppet).kind == "failed"
    assert type(asked.exception(TIMEOUT)).__name__ == "ActorDeadError"
    assert [letter.args for letter in letters.take(3)] == [(0,), (1,), (2,)]


def test_from_many_threads(
    spawn: Spawn, letters: Letters, wait_ended: WaitEnded, run_threads: RunThreads
) -> None:
    counter = spawn(Counter)
    counter.stop()
    wait_ended(counter)

    def tell(number: int) -> None:
        for i in range(50):
            counter.add.tell(number + i)

    run_threads(4, tell)
    assert len(letters) == 200


def test_after_the_system_has_ended(spawn: Spawn, system: ActorSystem) -> None:
    counter = spawn(Counter)
    system.shutdown(TIMEOUT)
    late: list[DeadLetter] = []
    system.on_dead_letter = late.append
    counter.add.tell(7)
    assert [letter.args for letter in late] == [(7,)]
    assert type(counter.add(1).exception(TIMEOUT)).__name__ == "ActorDeadError"
