"""Actors with `async def` methods: what happens between two steps."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from mojo_seq import ActorRef, SequencedTaskRunner, StopReason, interleaved
from troupe.basic import Puppet
from troupe.gate import GateKeeper
from troupe.journal import JournalKeeper, note

language: contextvars.ContextVar[str] = contextvars.ContextVar("language", default="none")


class Coroutines(Puppet):
    """Notes when its methods begin and end."""

    def __init__(self, journal: ActorRef[JournalKeeper]) -> None:
        super().__init__(journal)
        self.balance = 0

    async def in_turn(self, gate: ActorRef[GateKeeper], label: str) -> str:
        self.note(("begin", label))
        await gate.ask(GateKeeper.wait)
        self.note(("end", label))
        return label

    @interleaved
    async def at_once(self, gate: ActorRef[GateKeeper], label: str) -> str:
        self.note(("begin", label))
        await gate.ask(GateKeeper.wait)
        self.note(("end", label))
        return label

    async def deposit(self, amount: int) -> int:
        """Would lose updates if another message came in between."""
        before = self.balance
        for _ in range(3):
            await asyncio.sleep(0)
        self.balance = before + amount
        return self.balance

    @interleaved
    async def fail_at_once(self) -> None:
        await asyncio.sleep(0)
        raise LookupError("interleaved")

    async def sleep(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    async def forever(self, label: str = "") -> None:
        self.note(("begin", label))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.note(("end", label))

    @interleaved
    async def forever_at_once(self, label: str = "") -> None:
        await self.forever(label)

    async def gather(self, count: int) -> list[int]:
        async def one(number: int) -> int:
            await asyncio.sleep(0)
            return number

        return list(await asyncio.gather(*map(one, range(count))))

    async def in_thread(self) -> int:
        return await asyncio.to_thread(lambda: 42)

    async def wait_for(self, gate: ActorRef[GateKeeper], seconds: float) -> str:
        try:
            await asyncio.wait_for(gate.ask(GateKeeper.wait), seconds)
        except TimeoutError:
            return "timeout"
        return "open"

    async def own_sequence(self) -> list[bool]:
        seen = [self.task_runner.runs_tasks_in_current_sequence()]
        await asyncio.sleep(0)
        seen.append(self.task_runner.runs_tasks_in_current_sequence())
        await asyncio.sleep(0.001)
        seen.append(self.task_runner.runs_tasks_in_current_sequence())
        return seen

    async def raise_cancelled(self) -> None:
        raise asyncio.CancelledError

    async def background(self, entry: Any) -> str:
        """Leaves a task behind, that goes on."""
        self.kept = asyncio.get_running_loop().create_task(self.note_later(entry))
        return "begun"

    async def note_later(self, entry: Any) -> None:
        await asyncio.sleep(0)
        await self.journal.ask(JournalKeeper.note, entry)

    def speak(self) -> str:
        return language.get()

    async def speak_async(self) -> tuple[str, str]:
        before = language.get()
        await asyncio.sleep(0)
        return before, language.get()

    def learn(self, what: str) -> None:
        language.set(what)

    def speak_later(self) -> None:
        self.call_later(0.001, lambda: note(self.journal, language.get()))

    def ask_to_speak(self, other: ActorRef[Coroutines]) -> str:
        return other.ask(Coroutines.speak).result()

    def on_stop(self, reason: StopReason) -> None:
        self.note(reason.kind)

    def current_is_known(self) -> bool:
        return SequencedTaskRunner.current() is self.task_runner
