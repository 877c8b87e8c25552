"""What looks like a cycle and is none is not reported; and blocking does not use up the threads."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Puppet
from troupe.fixtures import RunThreads, Spawn
from troupe.rings import Link

from mojo_seq import ActorRef, ActorSystem, Reply


def links(spawn: Spawn, count: int) -> list[ActorRef[Link]]:
    return [spawn(Link, str(number)) for number in range(count)]


def test_awaiting_ones_own_reply_in_an_interleaved_method(spawn: Spawn) -> None:
    (link,) = links(spawn, 1)
    assert link.await_own_interleaved().result(TIMEOUT) == "0"


def test_a_cycle_through_an_interleaved_method_is_none(spawn: Spawn) -> None:
    a, b, c = links(spawn, 3)
    row = [(b, "ask_along"), (c, "await_along"), (a, "ask_along")]
    assert a.await_along_interleaved(row).result(TIMEOUT) == "0"


def test_a_cycle_through_one_that_passes_on_is_none(spawn: Spawn) -> None:
    a, b = links(spawn, 2)
    assert a.pass_along([(b, "ask_along"), (a, "ask_along")]).result(TIMEOUT) == "0"
    assert a.pass_along([(b, "pass_along"), (a, "pass_along")]).result(TIMEOUT) == "0"


def test_telling_in_a_circle_is_legal(spawn: Spawn) -> None:
    a, b = links(spawn, 2)
    assert a.tell_and_go_on(b, [(a, "ask_along")]).result(TIMEOUT) == "told"
    assert b.answer().result(TIMEOUT) == "1"


def test_asking_the_same_actor_again_and_again(spawn: Spawn) -> None:
    a, b = links(spawn, 2)
    assert a.ask_twice(b).result(TIMEOUT) == ["1", "1"]
    assert a.ask_late(b).result(TIMEOUT) == "11"


def test_looking_at_ones_own_reply_is_legal(spawn: Spawn) -> None:
    (link,) = links(spawn, 1)
    assert link.done_is_no_wait().result(TIMEOUT) is False


def test_many_wait_for_one(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    target = spawn(Link, "target")
    puppet = spawn(Puppet, journal.ref)
    held = puppet.hold(gate.ref)
    assert journal.next() == "held"
    askers = links(spawn, 10)
    replies = [asker.ask_along([(target, "ask_along")]) for asker in askers]
    assert [reply.result(TIMEOUT) for reply in replies] == ["target"] * 10
    gate.open()
    assert held.result(TIMEOUT) == "held"


def test_a_diamond(spawn: Spawn) -> None:
    top, left, right, bottom = links(spawn, 4)
    by_left = top.await_along([(left, "ask_along"), (bottom, "ask_along")])
    by_right = top.ask_along([(right, "await_along"), (bottom, "ask_along")])
    assert (by_left.result(TIMEOUT), by_right.result(TIMEOUT)) == ("3", "3")


def test_an_ask_of_a_waiting_actor_is_answered_when_it_goes_on(
    spawn: Spawn, journal: Journal, gate: Gate
) -> None:
    # a waits for the gate, b for a: no cycle.
    a, b = spawn(Puppet, journal.ref), spawn(Link, "b")
    held = a.hold(gate.ref)
    assert journal.next() == "held"
    waiting = b.pass_along([(a, "work")])
    assert not waiting.done()
    gate.open()
    held.result(TIMEOUT)
    assert waiting.result(TIMEOUT) == []


def test_one_may_wait_for_another_that_waited_for_it_before(spawn: Spawn) -> None:
    a, b = links(spawn, 2)
    for _ in range(20):
        assert a.ask_along([(b, "ask_along")]).result(TIMEOUT) == "1"
        assert b.ask_along([(a, "await_along")]).result(TIMEOUT) == "0"


def test_busy_neighbours_are_no_cycle(spawn: Spawn, run_threads: RunThreads) -> None:
    # A hierarchy: everybody asks only those with a higher number.
    row = links(spawn, 5)

    def ask(number: int) -> None:
        for turn in range(30):
            methods = ["ask_along", "await_along"]
            path = [(link, methods[(turn + i) % 2]) for i, link in enumerate(row[number + 1 :])]
            assert row[number].ask_along(path).result(TIMEOUT) == "4"

    run_threads(4, ask)


def test_a_reply_that_nobody_answers_yet_is_no_cycle(system: ActorSystem) -> None:
    link = system.spawn(Link, "a")
    reply = Reply[int]()
    waiting = system.spawn(Waiting, reply).wait()
    assert link.answer().result(TIMEOUT) == "a"
    reply.set_result(3)
    assert waiting.result(TIMEOUT) == 3


class Waiting(Link):
    def __init__(self, reply: Reply[int]) -> None:
        super().__init__()
        self.reply = reply

    def wait(self) -> int:
        return self.reply.result(TIMEOUT)


@pytest.mark.parametrize("method", ["ask_along", "await_along"])
def test_a_row_of_300_that_wait_for_one_another(system: ActorSystem, method: str) -> None:
    # 4 threads are enough: whoever blocks has another take its place.
    row = [system.spawn(Link, str(number)) for number in range(300)]
    assert row[0].ask(method, [(link, method) for link in row[1:]]).result(TIMEOUT) == "299"
    assert all(link.answer().result(TIMEOUT) == str(i) for i, link in enumerate(row))
