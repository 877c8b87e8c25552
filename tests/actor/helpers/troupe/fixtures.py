"""The types of the fixtures that are functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from mojo_seq import Actor, ActorRef, StopReason
from troupe.gate import Gate

A = TypeVar("A", bound=Actor)

# Of a placement: each call gives a place of its own, for `on=`.
Place = Callable[[], Any]
RunThreads = Callable[[int, Callable[[int], Any]], None]
Gates = Callable[[], Gate]
WaitEnded = Callable[[ActorRef[Any]], StopReason]


class Spawn(Protocol):
    def __call__(self, actor_class: type[A], /, *args: Any, **options: Any) -> ActorRef[A]: ...
