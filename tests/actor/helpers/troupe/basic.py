"""Actors that most tests have a use for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from mojo_seq import Actor, ActorRef, SequencedTaskRunner
from troupe.gate import GateKeeper
from troupe.journal import TIMEOUT, JournalKeeper, note


class Counter(Actor):
    """The example of the contract."""

    def __init__(self, start: int = 0) -> None:
        self.n = start

    def add(self, k: int = 1) -> int:
        self.n += k
        return self.n

    async def add_async(self, k: int = 1) -> int:
        await asyncio.sleep(0)
        return self.add(k)

    def get(self) -> int:
        return self.n


class Echo(Actor):
    """Answers with what it is given."""

    def echo(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            return args, kwargs
        return args[0] if len(args) == 1 else args

    async def echo_async(self, value: Any) -> Any:
        await asyncio.sleep(0)
        return value


class Puppet(Actor):
    """Does what a test tells it, and tells the journal that it has."""

    def __init__(self, journal: ActorRef[JournalKeeper], label: str = "") -> None:
        self.journal = journal
        self.label = label
        self.handled = 0

    def note(self, entry: Any) -> None:
        note(self.journal, entry)

    def hold(self, gate: ActorRef[GateKeeper], entry: Any = "held") -> Any:
        """Blocks the actor until the gate is open."""
        note(self.journal, entry)
        gate.ask(GateKeeper.wait).result(TIMEOUT)
        return entry

    async def hold_async(self, gate: ActorRef[GateKeeper], entry: Any = "held") -> Any:
        """The same, awaiting it."""
        await self.journal.ask(JournalKeeper.note, entry)
        await gate.ask(GateKeeper.wait)
        return entry

    def work(self, value: Any = None) -> Any:
        self.handled += 1
        return value

    def own_ref(self) -> ActorRef[Puppet]:
        return self.ref

    def count(self) -> int:
        """How often it was told to work."""
        return self.handled

    def fail(self, text: str = "as told") -> None:
        raise LookupError(text)

    async def fail_async(self, text: str = "as told") -> None:
        await asyncio.sleep(0)
        raise LookupError(text)


class Whereabouts(Actor):
    """Tells where it runs."""

    def thread(self) -> int:
        return threading.get_ident()

    def is_on_its_sequence(self) -> bool:
        return self.task_runner.runs_tasks_in_current_sequence()

    def is_current(self) -> bool:
        return SequencedTaskRunner.current() is self.task_runner

    def own_ref(self) -> ActorRef[Whereabouts]:
        return self.ref

    def alive(self) -> bool:
        return self.ref.is_alive
