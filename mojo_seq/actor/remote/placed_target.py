"""PlacedTarget: an actor that its home has put in a worker process, seen from other processes."""

from __future__ import annotations

from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connections import connections
from mojo_seq.actor.remote.remote_target import RemoteTarget
from mojo_seq.actor.remote.route import Route

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.remote.description import Description


class PlacedTarget(RemoteTarget):
    """Asks the actor's home where it is, and talks to that process directly from then on. Its end
    is the home's affair. Any thread."""

    __slots__ = ()

    def _new_route(self) -> Route:
        return _Found(self.connection, self.description)


class _Found(Route):
    """A route that its home knows."""

    def __init__(self, home: Connection, description: Description) -> None:
        home_id, number = description.identity
        super().__init__(-number, description.box, str(description), home_id)
        self._home = home
        self._number = number
        self._asking = False  # _lock

    def known_way(self) -> Connection | None:
        place = self._home.places.get(self._number)
        known = None if place is None else connections.find(place)
        if known is None or known.lost or self._end is not None:
            return None
        self.lead_to(known)
        return self._connection

    def find_way(self) -> None:
        with self._lock:
            if self._asking:
                return
            self._asking = True
        self._home.locate(self._number, self._on_located)

    def _on_located(self, answer: Any) -> None:
        failed = not isinstance(answer, StopReason) and answer[0] == wire.FAILURE
        with self._lock:
            self._asking = False
            waiting = self.take_waiting() if failed else []
        if isinstance(answer, StopReason):  # the home itself is gone
            self.end(answer)
            return
        kind, what = answer
        if failed:
            self.drop(waiting, what)
            return
        if kind != wire.HELLO:
            self.end(StopReason(*what))
            return
        connection = connections.join(*what)
        if connection is not None:
            self._home.places[self._number] = connection.node_id
            self.lead_to(connection)
        else:  # its pipe did not survive the journey
            self.find_way()
