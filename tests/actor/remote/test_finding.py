"""Actors in worker processes find others by name (contract §11: the same semantics everywhere)."""

from __future__ import annotations

import pytest
from strangers import Depot, Finder
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorSystem, NotFoundError


@pytest.mark.parametrize("how", ["find", "find_in_coroutine"])
def test_who_is_at_home_is_found(system: ActorSystem, put: Put, how: str) -> None:
    depot, finder = system.spawn(Depot, name="here"), put(Finder)
    found = finder.ask(how, "here").result(TIMEOUT)
    assert found == depot and found.add(2).result(TIMEOUT) == 2


def test_who_is_in_another_worker_is_found(put: Put) -> None:
    depots = [put(Depot, name=name) for name in ("a", "b")]
    finder = put(Finder)
    for depot in depots:
        assert finder.find(depot.name).result(TIMEOUT) == depot


def test_children_in_the_worker_come_first(system: ActorSystem, put: Put) -> None:
    system.spawn(Depot, name="twice")
    assert put(Finder).spawn_and_find("twice").result(TIMEOUT)


def test_who_is_not_there_is_not_found(put: Put) -> None:
    error = put(Finder).find("nobody").exception(TIMEOUT)
    assert isinstance(error, NotFoundError) and "nobody" in str(error)


def test_a_name_is_free_again_after_the_end(system: ActorSystem, put: Put) -> None:
    finder, depot = put(Finder), system.spawn(Depot, name="short")
    assert finder.find("short").result(TIMEOUT) == depot
    depot.kill()
    reply = finder.find("short")
    while (error := reply.exception(TIMEOUT)) is None:  # the end is on its way
        reply = finder.find("short")
    assert isinstance(error, NotFoundError)
