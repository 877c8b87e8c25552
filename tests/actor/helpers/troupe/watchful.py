"""Actors that monitor, link, put messages aside and notice when nothing happens."""

from __future__ import annotations

from typing import Any

from mojo_seq import ActorRef, Down, StopReason
from troupe.basic import Puppet
from troupe.gate import GateKeeper
from troupe.journal import TIMEOUT, JournalKeeper, note


class Observer(Puppet):
    """Monitors others and notes their ends."""

    def observe(self, ref: ActorRef[Any], label: str = "down") -> None:
        self.monitor(ref, lambda down: self.on_down(label, down))

    def observe_and_ask(self, ref: ActorRef[Any], method: Any) -> Any:
        """By the time that it has answered, its home has heard who observes it."""
        self.observe(ref)
        return ref.ask(method).result(TIMEOUT)

    def on_down(self, label: str, down: Down) -> None:
        self.note((label, down.ref, down.reason.kind))

    def observe_error(self, ref: ActorRef[Any]) -> None:
        self.monitor(ref, self.note_error)

    def note_error(self, down: Down) -> None:
        self.note((down.reason.kind, type(down.reason.error).__name__, str(down.reason.error)))

    def observe_and_fail(self, ref: ActorRef[Any]) -> None:
        self.monitor(ref, self.fail_for)

    def fail_for(self, down: Down) -> None:
        raise LookupError(f"because of {down.reason.kind}")

    def forget(self, ref: ActorRef[Any]) -> None:
        self.unmonitor(ref)

    def link_to(self, *refs: ActorRef[Any]) -> None:
        for ref in refs:
            self.link(ref)

    def on_stop(self, reason: StopReason) -> None:
        self.note((self.label, reason.kind, type(reason.error).__name__))


class Hotel(Puppet):
    """Puts guests aside until it is open: stash and unstash."""

    def __init__(self, journal: ActorRef[JournalKeeper]) -> None:
        super().__init__(journal)
        self.is_open = False

    def check_in(self, guest: Any) -> Any:
        if not self.is_open:
            self.stash()
            return "nobody hears this"
        self.note(guest)
        return guest

    async def check_in_async(self, guest: Any) -> Any:
        return self.check_in(guest)

    def open_up(self) -> int:
        self.is_open = True
        return self.unstash()

    def unstash_only(self) -> int:
        return self.unstash()

    def stash_twice(self) -> None:
        self.stash()
        self.stash()

    def come_in_again(self) -> str:
        """Once aside and at once back."""
        self.note("at the door")
        if not self.is_open:
            self.stash()
            self.is_open = bool(self.unstash())
            return "nobody hears this"
        return "inside"

    def on_start(self) -> None:
        try:
            self.stash()
        except RuntimeError as error:
            self.note(type(error).__name__)


class Idler(Puppet):
    """Notices when no message comes."""

    def notice(self, seconds: float | None) -> None:
        self.set_idle_timeout(seconds, self.on_idle)

    def on_idle(self) -> None:
        self.note("idle")

    def later(self, delay: float, entry: Any) -> None:
        self.call_later(delay, self.note, entry)

    def end_when_idle(self, seconds: float) -> None:
        self.set_idle_timeout(seconds)

    def try_timeout(self, seconds: Any) -> str:
        try:
            self.set_idle_timeout(seconds)
        except (TypeError, ValueError) as error:
            return type(error).__name__
        return "taken"

    def on_stop(self, reason: StopReason) -> None:
        self.note(reason.kind)


class Overtaken(Observer):
    """Its queue is long when something urgent comes."""

    def hold_and_observe(
        self, gate: ActorRef[GateKeeper], ref: ActorRef[Any], entry: Any = "held"
    ) -> None:
        self.observe(ref)
        note(self.journal, entry)
        gate.ask(GateKeeper.wait).result(TIMEOUT)
