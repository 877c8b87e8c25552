"""A ref that is sent brings a way to its actor's home along, where the receiver may have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from strangers import Depot, Friend
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorRef, ActorSystem, ProcessPool, create_message_pipe
from mojo_seq.actor.remote.node import Node, node_of

Counted = Callable[[], int]


@pytest.fixture
def introductions(system: ActorSystem, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How many clients have been introduced to the system."""
    accepted: list[Any] = []
    accept = Node.accept

    def note(self: Node, pipe: Any) -> None:
        if self is node_of(system):
            accepted.append(pipe)
        accept(self, pipe)

    monkeypatch.setattr(Node, "accept", note)
    return lambda: len(accepted)


def test_actors_of_one_home_are_introduced_once_for_each_process(
    system: ActorSystem, pool: ProcessPool, put: Put, introductions: Counted
) -> None:
    friends: list[ActorRef[Any]] = [put(Friend), put(Friend)]
    here = system.spawn(Depot)
    for each in friends:  # each knows the way now
        assert each.ask_it(here, "add").result(TIMEOUT)
    before = introductions()
    for each in friends:
        for ref in (here, each, *friends, put(Depot)):
            each.keep(ref).result(TIMEOUT)
        assert each.ask_kept("add").result(TIMEOUT) == 1
        assert each.own().result(TIMEOUT) == each
    assert put(Depot, here).take().result(TIMEOUT) == here
    for each in friends:
        each.keep(here).result(TIMEOUT)
        assert each.ask_kept("put", each).result(TIMEOUT)
        assert each.ask_kept("take").result(TIMEOUT) == each
    assert introductions() == before


def test_actors_of_another_home_are_introduced(put: Put, pool: ProcessPool) -> None:
    friend = put(Friend)
    with ActorSystem(1) as other:
        depot, other_friend = other.spawn(Depot), other.spawn(Friend, on=pool)
        for ref in (depot, other.spawn(Depot, on=pool)):
            assert friend.ask_it(ref, "add").result(TIMEOUT) == 1
            assert other_friend.ask_it(ref, "add").result(TIMEOUT) == 2
            friend.keep(ref).result(TIMEOUT)
            assert other_friend.ask_it(friend, "ask_kept", "add").result(TIMEOUT) == 3


def test_children_in_a_worker_are_introduced(put: Put) -> None:
    parent, friends = put(Friend), [put(Friend), put(Friend)]
    child = parent.child().result(TIMEOUT)
    for number, each in enumerate((parent, *friends), 1):
        assert each.ask_it(child, "add").result(TIMEOUT) == number
        each.keep(child).result(TIMEOUT)
        assert each.ask_kept("put", each).result(TIMEOUT) == 1
        assert each.ask_kept("take").result(TIMEOUT) == each


def test_who_is_answered_by_an_actor_without_another_ref_to_it_has_a_way_there(
    put: Put, pool: ProcessPool
) -> None:
    """The ref that was asked is gone when the answer comes."""
    asking = put(Friend)
    with ActorSystem(1) as other:
        for on in (None, pool):
            friend = other.spawn(Friend, on=on)
            own = asking.ask_it(friend, "own").result(TIMEOUT)
            assert own == friend and own.is_alive
            assert own.ask("pid").result(TIMEOUT) == friend.pid().result(TIMEOUT)
            del own
            friend.kill()


def test_a_ref_over_a_pipe_brings_the_way_along(
    system: ActorSystem, introductions: Counted
) -> None:
    here = system.spawn(Depot)
    near, far = create_message_pipe()
    with near, far:
        for number in range(3):
            before = introductions()
            near.write_message(here.to_message())
            assert introductions() == before + 1
            message = far.read()
            assert ActorRef.from_message(message) == here, number
