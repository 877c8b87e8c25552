"""Actors of the stress tests."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor, ActorRef
from troupe.basic import Counter


class Collector(Actor):
    """Remembers what each sender has sent."""

    def __init__(self) -> None:
        self._seen: dict[int, list[int]] = {}

    def collect(self, sender: int, number: int) -> int:
        self._seen.setdefault(sender, []).append(number)
        return number

    def seen(self) -> dict[int, list[int]]:
        return self._seen


class Forwarder(Actor):
    """Sends on to the next."""

    def __init__(self, following: ActorRef[Any], number: int) -> None:
        self.following = following
        self.number = number

    async def forward(self, count: int) -> int:
        for i in range(count):
            await self.following.ask("collect", self.number, i)
        return count

    async def collect(self, sender: int, number: int) -> int:
        received: int = await self.following.ask("collect", sender, number)
        return received


class Shaky(Actor):
    """Fails when it is told to."""

    def __init__(self, tally: ActorRef[Counter]) -> None:
        self.tally = tally

    def count(self) -> None:
        self.tally.ask(Counter.add, 1).result()

    def fail(self) -> None:
        raise LookupError("shaky")

    def ping(self) -> None: ...
