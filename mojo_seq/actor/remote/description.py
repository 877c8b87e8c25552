"""Description: what a ref to an actor of another process knows of it."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.actor import Actor


class Description:
    """Who the actor is. The class is imported when it is asked for only, for a process
    that has no use for it may not even have it."""

    __slots__ = ("_class", "box", "identity", "methods", "module", "name", "placed", "qualname")

    def __init__(
        self,
        identity: tuple[bytes, int],
        name: str | None,
        module: str,
        qualname: str,
        methods: frozenset[str],
        placed: bool,
        box: tuple[int, str] | None,
    ) -> None:
        self.identity = identity
        self.name = name
        self.module = module
        self.qualname = qualname
        self.methods = methods
        self.placed = placed  # in a worker process, which one its home knows
        self.box = box
        self._class: type[Actor] | None = None

    @property
    def actor_class(self) -> type[Actor]:
        if self._class is None:
            self._class = self._find_class()
        return self._class

    def __str__(self) -> str:
        name = repr(self.name) if self.name is not None else str(self.identity[1])
        return f"<actor {self.qualname.rpartition('.')[2]} {name} of another process>"

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


class Described:
    """What messages are given to, and has a description. A part of targets."""

    __slots__ = ("description",)

    description: Description

    @property
    def identity(self) -> tuple[bytes, int]:
        return self.description.identity

    @property
    def name(self) -> str | None:
        return self.description.name

    @property
    def actor_class(self) -> type[Actor]:
        return self.description.actor_class
