"""Names: unique in a system, to find actors by (public contract §11)."""

from __future__ import annotations

from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import RunThreads, Spawn, WaitEnded
from troupe.lives import Parent

from mojo_seq import ActorSystem, AlreadyExistsError, NotFoundError


def test_find(spawn: Spawn, system: ActorSystem) -> None:
    counter = spawn(Counter, 3, name="c")
    found = system.find("c")
    assert found == counter
    assert found.add(1).result(TIMEOUT) == 4


def test_find_of_nobody(spawn: Spawn, system: ActorSystem) -> None:
    spawn(Counter, name="c")
    with pytest.raises(NotFoundError, match="'d'"):
        system.find("d")


def test_a_name_is_given_once(spawn: Spawn, system: ActorSystem) -> None:
    counter = spawn(Counter, name="c")
    with pytest.raises(AlreadyExistsError, match="'c'"):
        spawn(Counter, name="c")
    assert system.find("c") == counter


def test_children_have_names_in_the_same_system(
    spawn: Spawn, system: ActorSystem, journal: Journal
) -> None:
    parent = spawn(Parent, journal.ref, "p", name="parent")
    (child,) = parent.have_lives("child").result(TIMEOUT)
    assert child.name == "child"
    with pytest.raises(AlreadyExistsError):
        parent.have(Counter, name="parent").result(TIMEOUT)


def test_a_name_is_free_after_the_end(
    spawn: Spawn, system: ActorSystem, wait_ended: WaitEnded
) -> None:
    first = spawn(Counter, name="c")
    first.kill()
    wait_ended(first)
    with pytest.raises(NotFoundError):
        system.find("c")
    second = spawn(Counter, name="c")
    assert system.find("c") == second != first


def test_a_name_is_taken_until_the_end(
    spawn: Spawn, system: ActorSystem, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    first = spawn(Puppet, journal.ref, name="p")
    first.hold.tell(gate.ref)
    assert journal.next() == "held"
    first.stop()
    with pytest.raises(AlreadyExistsError):
        spawn(Puppet, journal.ref, name="p")
    gate.open()
    wait_ended(first)
    spawn(Puppet, journal.ref, name="p")


def test_only_one_of_many_gets_a_name(spawn: Spawn, run_threads: RunThreads) -> None:
    won: list[int] = []

    def spawn_named(number: int) -> None:
        try:
            spawn(Counter, name="wanted")
        except AlreadyExistsError:
            return
        won.append(number)

    run_threads(6, spawn_named)
    assert len(won) == 1


def test_any_text_is_a_name(spawn: Spawn, system: ActorSystem) -> None:
    for name in ("", " ", "a/b", "ünï", "x" * 1000):
        counter = spawn(Counter, name=name)
        assert system.find(name) == counter


@pytest.mark.parametrize("name", [3, b"c", object()])
def test_names_are_text(spawn: Spawn, system: ActorSystem, name: Any) -> None:
    with pytest.raises(TypeError):
        spawn(Counter, name=name)
    with pytest.raises(TypeError):
        system.find(name)


def test_systems_do_not_share_names(spawn: Spawn, system: ActorSystem) -> None:
    ours = spawn(Counter, name="c")
    with ActorSystem(1) as other:
        theirs = other.spawn(Counter, name="c")
        assert other.find("c") == theirs != ours
        assert system.find("c") == ours


def test_nobody_is_found_after_the_systems_end(spawn: Spawn, system: ActorSystem) -> None:
    spawn(Counter, name="c")
    system.shutdown(TIMEOUT)
    with pytest.raises(NotFoundError):
        system.find("c")
