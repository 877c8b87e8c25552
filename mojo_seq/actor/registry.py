"""Registry: answers those who look for an actor from another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mojo_seq.actor.actor import Actor
from mojo_seq.actor.actor_ref import ActorRef

if TYPE_CHECKING:
    from mojo_seq.actor.actor_system import ActorSystem


class Registry(Actor):
    """Part of a system that has actors in worker processes: what they find there by name."""

    def find(self, name: str) -> ActorRef[Any]:
        """See ActorSystem."""
        return self.system.find(name)


def registry_of(system: ActorSystem) -> ActorRef[Registry]:
    """The one of a system; made when it is first needed. Any thread."""
    if system.own_registry is None:
        made = system.spawn(Registry)
        with system.lock:
            kept = system.own_registry
            if kept is None:
                system.own_registry = made
        if kept is not None:
            made.stop()  # another thread was faster
    registry = system.own_registry
    assert registry is not None
    return registry
