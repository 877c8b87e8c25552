"""RoundRobinRouter: one after the other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq.actor.router import Router

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_ref import ActorRef

A = TypeVar("A", bound="Actor")


class RoundRobinRouter(Router[A]):
    """Each message goes to the next one."""

    def __init__(self, refs: Iterable[ActorRef[A]]) -> None:
        super().__init__(refs)
        self._turn = itertools.count()

    def choose(
        self, routees: tuple[ActorRef[A], ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorRef[A]:
        return routees[next(self._turn) % len(routees)]
