"""Actors that send: from a sequence, from an event loop, and awaiting."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor, ActorRef, MailboxFullError
from troupe.journal import TIMEOUT


class Sender(Actor):
    """Sends to others what it is told to."""

    def tell_many(self, ref: ActorRef[Any], method: str, count: int) -> None:
        for number in range(count):
            ref.tell(method, number)

    def send(self, ref: ActorRef[Any], method: str, *args: Any) -> str:
        """Returns how it went."""
        try:
            ref.tell(method, *args)
        except MailboxFullError:
            return "full"
        return "sent"

    def ask_it(self, ref: ActorRef[Any], method: str, *args: Any) -> Any:
        """Blocks for the answer."""
        return ref.ask(method, *args).result(TIMEOUT)

    async def await_ask(self, ref: ActorRef[Any], method: str, *args: Any) -> Any:
        return await ref.ask(method, *args)

    async def await_many(self, ref: ActorRef[Any], method: str, count: int) -> list[Any]:
        """One after the other, as back-pressure has it."""
        return [await ref.ask(method, number) for number in range(count)]

    def error_of(self, ref: ActorRef[Any], method: str, *args: Any) -> BaseException | None:
        return ref.ask(method, *args).exception(TIMEOUT)

    def fill(self, ref: ActorRef[Any], method: str, most: int) -> int:
        """Tells until there is no room. Returns how often there was."""
        for number in range(most):
            if self.send(ref, method, number) == "full":
                return number
        return most

    async def fill_async(self, ref: ActorRef[Any], method: str, most: int) -> int:
        return self.fill(ref, method, most)

    def fill_own(self) -> None:
        for _ in range(10):
            self.ref.tell(Sender.idle)

    def idle(self) -> None:
        pass
