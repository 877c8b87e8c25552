"""Actors that are told things, and never asked."""

from __future__ import annotations

import gc

from mojo_seq import Actor, ActorRef
from mojo_seq.actor.remote.connection import Connection


def remembered(connection: Connection) -> int:
    """Of how many actors something is known."""
    cared_for = connection._actors._cared_for
    return len({*cared_for, *connection.ends, *connection._purses, *connection.places})


class Listener(Actor):
    """Is told something."""

    def hear(self) -> None:
        """Nothing is done."""


class Teller(Actor):
    """Asks nobody: it waits for nothing that comes from other processes."""

    def pass_on(self, to: ActorRef[Listener]) -> None:
        to.hear.tell()

    def remembered(self) -> int:
        """By all connections of the process."""
        gc.collect()
        return sum(remembered(each) for each in gc.get_objects() if isinstance(each, Connection))
