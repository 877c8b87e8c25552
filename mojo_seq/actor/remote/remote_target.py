"""RemoteTarget: what messages to an actor of another process are given to."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.description import Described
from mojo_seq.actor.remote.route import Route
from mojo_seq.process.object_codec import encode
from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.observers import EndObserver
    from mojo_seq.actor.reasons import StopReason
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.remote.description import Description


class RemoteTarget(Described):
    """Stands for an actor that a node of another process has at the number of its identity. Any
    thread."""

    __slots__ = (
        "__weakref__",
        "_observers",
        "_route",
        "connection",
        "number",
        "park",
        "send",
    )

    def __init__(self, description: Description, connection: Connection) -> None:
        self.description = description
        self.connection = connection  # to its home
        self.number = description.identity[1]
        route = connection.found.get(self.number)
        if route is None:
            route = connection.found.setdefault(self.number, self._new_route())
        self._route = route
        self.send = route.send
        self.park = route.park
        self._observers: dict[int, Any] = {}
        connection.care(self.number)

    def _new_route(self) -> Route:
        """For this and all later refs to the actor."""
        who = self.description
        route = _AtHome(self.number, who.box, str(who), self.connection.node_id)
        route.lead_to(self.connection)
        return route

    @property
    def is_alive(self) -> bool:
        """What is known here."""
        self.connection.look()
        return not self.connection.lost and self._end() is None

    def _end(self) -> StopReason | None:
        connection = self.connection
        return connection.reason or connection.ends.get(self.number) or self._route.known_end()

    def stop(self) -> None:
        """See ActorRef."""
        if not self._route.command(wire.STOP):
            self.connection.command(wire.STOP, self.number)

    def kill(self) -> None:
        """The same."""
        if not self._route.command(wire.KILL):
            self.connection.command(wire.KILL, self.number)

    def stop_linked(self, error: BaseException | None) -> None:
        """An actor that it is linked to has failed."""
        what = None if error is None else Failure(error)
        self.connection.write(encode(what, wire.pack_suffix(wire.LINKED, self.number, 0)))

    def watch_end(self, observer: EndObserver) -> None:
        """Calls `observer.on_down(identity, reason)` once the actor has ended; any thread."""
        identity = self.identity

        def tell(reason: StopReason) -> None:
            self._observers.pop(id(observer), None)
            observer.on_down(identity, reason)

        self._observers[id(observer)] = tell
        self.connection.observe(self.number, tell)

    def unwatch_end(self, observer: EndObserver) -> None:
        """Takes it back."""
        tell = self._observers.pop(id(observer), None)
        if tell is not None:
            self.connection.forget(self.number, tell)

    def introduce(self) -> _core.MessagePipeHandle:
        """A pipe to the actor's home, for another process."""
        return self.connection.introduce()

    def __repr__(self) -> str:
        return str(self.description)


class _AtHome(Route):
    """A route that is known, and ends with its home."""

    def on_lost(self, connection: Connection) -> None:
        self.end(connection.reason or connection.end_reason())
