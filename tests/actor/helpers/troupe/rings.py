"""Actors that ask one another, in rings and in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mojo_seq import Actor, ActorRef, AskCycleError, interleaved
from troupe.journal import TIMEOUT


class Link(Actor):
    """One of several that ask one another, blocking or awaiting."""

    def __init__(self, label: str = "") -> None:
        self.label = label

    def answer(self) -> str:
        return self.label

    def ask_along(self, row: Sequence[tuple[ActorRef[Link], str]]) -> Any:
        """Asks the first of the row, by the method that it is to use for the others; the last
        answers."""
        if not row:
            return self.label
        (following, method), *rest = row
        return following.ask(method, rest).result(TIMEOUT)

    async def await_along(self, row: Sequence[tuple[ActorRef[Link], str]]) -> Any:
        """The same, awaiting it."""
        if not row:
            return self.label
        (following, method), *rest = row
        return await following.ask(method, rest)

    @interleaved
    async def await_along_interleaved(self, row: Sequence[tuple[ActorRef[Link], str]]) -> Any:
        """The same, free for others meanwhile."""
        if not row:
            return self.label
        (following, method), *rest = row
        return await following.ask(method, rest)

    def pass_along(self, row: Sequence[tuple[ActorRef[Link], str]]) -> Any:
        """The same, not waiting at all."""
        if not row:
            return self.label
        (following, method), *rest = row
        return following.ask(method, rest)

    def tell_and_go_on(self, other: ActorRef[Link], row: Any) -> str:
        other.tell("ask_along", row)
        return "told"

    def catch_along(self, row: Sequence[tuple[ActorRef[Link], str]]) -> Any:
        """What asking along ends in."""
        try:
            return self.ask_along(row)
        except AskCycleError as error:
            return error.chain

    def block_on_own(self) -> Any:
        return self.ref.ask(Link.answer).result(TIMEOUT)

    def exception_of_own(self) -> Any:
        return self.ref.ask(Link.answer).exception(TIMEOUT)

    def timeout_of_own(self) -> Any:
        return self.ref.ask(Link.answer).result(0.01)

    async def await_own(self) -> Any:
        return await self.ref.ask(Link.answer)

    @interleaved
    async def await_own_interleaved(self) -> Any:
        return await self.ref.ask(Link.answer)

    def ask_twice(self, other: ActorRef[Link]) -> list[str]:
        return [other.ask(Link.answer).result(TIMEOUT) for _ in range(2)]

    def ask_late(self, other: ActorRef[Link]) -> str:
        """Does not wait for the first answer before it asks again."""
        first, second = other.ask(Link.answer), other.ask(Link.answer)
        return second.result(TIMEOUT) + first.result(TIMEOUT)

    def done_is_no_wait(self) -> bool:
        """Looking at a reply of its own is legal."""
        return self.ref.ask(Link.answer).done()
