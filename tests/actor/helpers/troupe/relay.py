"""Relay: knows another actor from its constructor."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor, ActorRef
from troupe.journal import TIMEOUT


class Relay(Actor):
    def __init__(self, known: dict[str, ActorRef[Any]]) -> None:
        self.target = known["target"]

    def forward(self, method: str, *args: Any) -> Any:
        return self.target.ask(method, *args).result(TIMEOUT)
