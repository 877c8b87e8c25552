"""Actors whose lives are told to the journal, and that have children."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from mojo_seq import Actor, ActorRef, StopReason
from troupe.basic import Puppet
from troupe.gate import GateKeeper
from troupe.journal import TIMEOUT, JournalKeeper, note


class Life(Puppet):
    """Notes the steps of its life: (label, step)."""

    def __init__(self, journal: ActorRef[JournalKeeper], label: str = "") -> None:
        super().__init__(journal, label)
        note(journal, (label, "init"))

    def on_start(self) -> None:
        self.note((self.label, "start"))

    def on_stop(self, reason: StopReason) -> None:
        self.note((self.label, reason.kind))

    def tell_label(self) -> None:
        self.note((self.label, "told"))


class AsyncLife(Puppet):
    """The same with hooks that await."""

    async def on_start(self) -> None:
        await self.journal.ask(JournalKeeper.note, (self.label, "starting"))
        await asyncio.sleep(0)
        await self.journal.ask(JournalKeeper.note, (self.label, "started"))

    async def on_stop(self, reason: StopReason) -> None:
        await self.journal.ask(JournalKeeper.note, (self.label, "stopping"))
        await asyncio.sleep(0)
        await self.journal.ask(JournalKeeper.note, (self.label, reason.kind))


class Parent(Life):
    """Has children, of a class and with labels that it is told."""

    def have(self, child: type[Actor], *args: Any, on: Any = None, **options: Any) -> Any:
        return self.spawn(child, *args, on=on, **options)

    def have_lives(self, *labels: str) -> list[ActorRef[Life]]:
        return [self.spawn(Life, self.journal, label, name=label) for label in labels]


class HeldUp(Life):
    """Its on_stop waits at a gate."""

    stop_timeout: ClassVar[float] = TIMEOUT

    def __init__(
        self, journal: ActorRef[JournalKeeper], label: str, gate: ActorRef[GateKeeper]
    ) -> None:
        super().__init__(journal, label)
        self.gate = gate

    def on_stop(self, reason: StopReason) -> None:
        self.note((self.label, "stopping"))
        self.gate.ask(GateKeeper.wait).result(TIMEOUT)
        self.note((self.label, reason.kind))


class Lasting(Life):
    """Has a method that does not end by itself."""

    async def forever(self) -> None:
        self.note((self.label, "forever"))
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.note((self.label, "cancelled"))
                raise


class Stubborn(Lasting):
    """Takes longer to stop than it may."""

    stop_timeout: ClassVar[float] = 0.5


class ErrorKeeper(Puppet):
    """Tells the error of its end."""

    def on_stop(self, reason: StopReason) -> None:
        self.note((reason.kind, type(reason.error).__name__, str(reason.error)))


class RaisingStop(Life):
    """Its on_stop raises."""

    def on_stop(self, reason: StopReason) -> None:
        super().on_stop(reason)
        raise LookupError("in on_stop")


class SelfStopper(Life):
    """Ends itself while it handles messages."""

    def stop_now(self) -> str:
        self.stop()
        return "after stop"

    def kill_now(self) -> str:
        self.ref.kill()
        return "after kill"
