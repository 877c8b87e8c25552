"""RemoteTarget: what messages to an actor of another process are given to."""

from __future__ import annotations

import importlib

from mojo_seq import _core
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.chains import next_ask, tokens_here
from mojo_seq.actor.remote.connection import dead_error
from mojo_seq.process.object_codec import encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any, Protocol

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.reasons import StopReason
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.reply import Reply

    class EndObserver(Protocol):
        """Is told when an actor has ended."""

        def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> object: ...


class Description:
    """What a ref knows of its actor; the class is imported when it is asked for only, for a process
    that has no use for it may not even have it."""

    __slots__ = ("_class", "identity", "methods", "module", "name", "placed", "qualname")

    def __init__(
        self,
        identity: tuple[bytes, int],
        name: str | None,
        module: str,
        qualname: str,
        methods: frozenset[str],
        placed: bool,
    ) -> None:
        self.identity = identity
        self.name = name
        self.module = module
        self.qualname = qualname
        self.methods = methods
        self.placed = placed
        self._class: type[Actor] | None = None

    @property
    def actor_class(self) -> type[Actor]:
        if self._class is None:
            self._class = self._find_class()
        return self._class

    def _find_class(self) -> type[Actor]:
        from mojo_seq.actor.actor import Actor

        try:
            found: Any = importlib.import_module(self.module)
            for part in self.qualname.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            found = None
        if isinstance(found, type) and issubclass(found, Actor):
            return found
        # One that is not to be had here: it has the name, and that is all that is known.
        name = self.qualname.rpartition(".")[2]
        return type(name, (Actor,), {"__module__": self.module, "__qualname__": self.qualname})


class RemoteTarget:
    """Stands for an actor that a node of another process has at the number of its identity. Any
    thread."""

    __slots__ = ("__weakref__", "_observers", "connection", "description", "number")

    def __init__(self, description: Description, connection: Connection) -> None:
        self.description = description
        self.connection = connection
        self.number = description.identity[1]
        self._observers: dict[int, Any] = {}

    @property
    def identity(self) -> tuple[bytes, int]:
        return self.description.identity

    @property
    def name(self) -> str | None:
        return self.description.name

    @property
    def actor_class(self) -> type[Actor]:
        return self.description.actor_class

    @property
    def is_alive(self) -> bool:
        """What is known here."""
        self.connection.look()
        return self._end() is None

    def _end(self) -> StopReason | None:
        connection = self.connection
        return connection.reason or connection.ends.get(self.number)

    def send(
        self,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        reply: Reply[Any] | None,
    ) -> None:
        """Sends a message.

        Raises:
            Whatever the encoding of the arguments raises; then nothing was sent.
        """
        connection = self.connection

        def parts() -> dict[str, object]:
            return {"args": args, "kwargs": kwargs}

        if reply is None:
            encoded = encode(
                (method, args, kwargs, None), wire.pack_suffix(wire.TELL, self.number, 0), parts
            )
            connection.write(encoded)
            return
        ask = next_ask()
        encoded = encode(
            (method, args, kwargs, tokens_here()),
            wire.pack_suffix(wire.ASK, self.number, ask),
            parts,
        )
        end = self._end()
        if end is not None:
            encoded.discard()
            reply.fail(dead_error(end))
            return
        connection.ask(reply, ask, encoded)

    def stop(self) -> None:
        self.connection.command(wire.STOP, self.number)

    def kill(self) -> None:
        self.connection.command(wire.KILL, self.number)

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
        return f"<{self.description.qualname} in another process>"
