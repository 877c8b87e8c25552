"""Refs: values that stand for actors (public contract §11)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from troupe import TIMEOUT
from troupe.basic import Counter, Echo, Whereabouts
from troupe.fixtures import Spawn, WaitEnded

from mojo_seq import ActorMethod, ActorRef, ActorSystem


def test_refs_of_one_actor_are_equal_and_hash_alike(spawn: Spawn, system: ActorSystem) -> None:
    counter, other = spawn(Counter, name="c"), spawn(Counter)
    found = system.find("c")
    assert counter == found
    assert hash(counter) == hash(found)
    assert counter != other
    assert {counter: 1, other: 2}[found] == 1
    assert counter != "c"
    assert counter != None  # noqa: E711


def test_refs_stay_equal_after_the_end(spawn: Spawn, wait_ended: WaitEnded) -> None:
    counter = spawn(Counter)
    before = hash(counter)
    keys = {counter}
    counter.stop()
    wait_ended(counter)
    assert hash(counter) == before
    assert counter in keys


def test_refs_tell_what_they_refer_to(spawn: Spawn, wait_ended: WaitEnded) -> None:
    counter, nameless = spawn(Counter, name="the counter"), spawn(Counter)
    assert counter.name == "the counter"
    assert nameless.name is None
    assert counter.actor_class is Counter
    assert isinstance(counter, ActorRef)
    assert "Counter" in repr(counter)
    assert "'the counter'" in repr(counter)
    assert repr(counter) != repr(nameless)
    alive = repr(counter)
    assert counter.is_alive
    counter.stop()
    wait_ended(counter)
    assert not counter.is_alive
    assert repr(counter) != alive
    assert counter.name == "the counter"
    assert counter.actor_class is Counter


def test_dir_lists_the_methods(spawn: Spawn) -> None:
    counter = spawn(Counter)
    assert {"add", "get", "add_async", "stop", "kill", "ask", "tell", "name"} <= set(dir(counter))
    assert "supervisor" not in dir(counter)


def test_methods_of_refs(spawn: Spawn) -> None:
    add = spawn(Counter).add
    assert isinstance(add, ActorMethod)
    assert add.__name__ == "add"
    assert "add" in repr(add)
    add.tell(1)
    assert add(1).result(TIMEOUT) == 2
    with pytest.raises(TypeError):
        ActorMethod()


def test_refs_are_arguments_and_results(spawn: Spawn) -> None:
    echo, counter = spawn(Echo), spawn(Counter)
    back = echo.echo(counter).result(TIMEOUT)
    assert back == counter
    assert back.add(1).result(TIMEOUT) == 1
    deep = echo.echo({"refs": [(counter, echo)]}).result(TIMEOUT)
    assert deep == {"refs": [(counter, echo)]}
    assert deep["refs"][0][0].add(1).result(TIMEOUT) == 2


def test_refs_in_constructor_arguments(spawn: Spawn) -> None:
    from troupe.relay import Relay

    counter = spawn(Counter)
    relay = spawn(Relay, {"target": counter})
    assert relay.forward("add", 3).result(TIMEOUT) == 3
    chain = spawn(Relay, {"target": spawn(Relay, {"target": relay})})
    assert chain.forward("forward", "forward", "add", 4).result(TIMEOUT) == 7


def test_own_ref(spawn: Spawn) -> None:
    whereabouts = spawn(Whereabouts, name="w")
    own = whereabouts.own_ref().result(TIMEOUT)
    assert own == whereabouts
    assert own.name == "w"
    assert whereabouts.alive().result(TIMEOUT) is True


def test_refs_of_two_systems_differ(system: ActorSystem) -> None:
    with ActorSystem(1) as other:
        assert system.spawn(Counter) != other.spawn(Counter)


def test_refs_reach_over_systems(system: ActorSystem) -> None:
    from troupe.relay import Relay

    with ActorSystem(1) as other:
        counter = other.spawn(Counter)
        relay = system.spawn(Relay, {"target": counter})
        assert relay.forward("add", 3).result(TIMEOUT) == 3


def test_copies_are_the_ref_itself(spawn: Spawn) -> None:
    counter = spawn(Counter)
    assert copy.copy(counter) == counter
    assert copy.deepcopy([counter]) == [counter]


def test_pickling_outside_of_a_message_says_what_to_do(spawn: Spawn) -> None:
    counter: Any = spawn(Counter)
    with pytest.raises(TypeError, match="to_message"):
        pickle.dumps(counter)


def test_a_ref_keeps_no_actor_alive_but_its_state_can_be_asked_for(spawn: Spawn) -> None:
    counters = [spawn(Counter, i) for i in range(5)]
    refs = {ref: i for i, ref in enumerate(counters)}
    del counters
    assert all(ref.get().result(TIMEOUT) == i for ref, i in refs.items())
