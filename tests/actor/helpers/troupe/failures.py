"""Actors that fail, in every way, and parents that supervise."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from mojo_seq import Actor, ActorRef, Supervisor
from troupe.journal import JournalKeeper, note
from troupe.lives import Life, Parent


class Fragile(Life):
    """Fails where it is told to."""

    def in_timer(self) -> None:
        self.call_later(0.001, self.fail, "in a timer")

    def in_callback_async(self) -> None:
        self.call_later(0.001, self.fail_async, "in an async timer")

    def fail_base(self) -> None:
        raise KeyboardInterrupt("as told")


class BadInit(Actor):
    """Cannot be made."""

    def __init__(self, journal: ActorRef[JournalKeeper], text: str = "in init") -> None:
        note(journal, "init")
        raise LookupError(text)

    def work(self) -> int:
        return 1


class BadStart(Life):
    """Its on_start raises."""

    def on_start(self) -> None:
        super().on_start()
        raise LookupError("in on_start")


class BadStartAsync(Life):
    async def on_start(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.note((self.label, "start"))
        raise LookupError("in on_start")


class BadTwice(Life):
    """Can be made at the third attempt: the one whom it asks counts them."""

    def __init__(
        self, journal: ActorRef[JournalKeeper], label: str, counter: ActorRef[Any]
    ) -> None:
        super().__init__(journal, label)
        if counter.ask("add", 1).result() < 3:
            raise LookupError("too early")


class Supervising(Parent):
    """Supervises one by one, by its class."""

    supervisor: ClassVar[Supervisor] = Supervisor()


class Family(Parent):
    """Has its children from its start on, also after a restart."""

    def __init__(self, journal: ActorRef[JournalKeeper], label: str, children: list[str]) -> None:
        super().__init__(journal, label)
        self.names = children

    def on_start(self) -> None:
        super().on_start()
        self.children = [self.spawn(Fragile, self.journal, name, name=name) for name in self.names]

    def child(self, index: int) -> ActorRef[Fragile]:
        return self.children[index]
