"""A node's end of a connection."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from strangers import Depot
from strangers.fixtures import TIMEOUT

from mojo_seq import ActorSystem, create_message_pipe, wait
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.accepted import Accepted
from mojo_seq.actor.remote.node import node_of
from mojo_seq.process.object_codec import decode, encode
from mojo_seq.system import Signals


class _Home:
    """Has put an actor here, which is to be read yet."""

    def __init__(self, hosted: dict[int, Any], cell: Any) -> None:
        self._hosted = hosted
        self._cell = cell

    def read(self) -> None:
        self._hosted[7] = self._cell


def test_an_ask_may_be_faster_than_the_news_of_its_actor(system: ActorSystem) -> None:
    node: Any = node_of(system)
    node.home = _Home(node.hosted, system.spawn(Depot)._target)
    near, far = create_message_pipe()
    accepted = Accepted(node, far)
    with near:
        for number in (1, 2):
            ask = ("add", (1,), None, None)
            encode(ask, wire.pack_suffix(wire.ASK, -7, number)).write_to(near)
            assert accepted.read()
            wait(near, Signals.READABLE, TIMEOUT)
            assert decode(near.read()) == number
    node.hosted.clear()
    node.home = None
    accepted.close()


def test_a_client_that_is_gone_is_let_go_of(system: ActorSystem) -> None:
    node = node_of(system)
    depots = [system.spawn(Depot) for _ in range(2)]
    near, far = create_message_pipe()
    accepted = Accepted(node, far)
    with near:
        for depot in depots:
            ask = ("add", (1,), None, None)
            number = depot._target.number
            encode(ask, wire.pack_suffix(wire.ASK, number, number)).write_to(near)
            assert accepted.read()
            wait(near, Signals.READABLE, TIMEOUT)
            assert decode(near.read()) == 1
    assert not accepted.read()  # hears that it is
    seen = weakref.ref(accepted)
    del accepted
    for depot in depots:
        depot._target.runner.submit(gc.collect).result(TIMEOUT)  # its last task has returned
    assert seen() is None
