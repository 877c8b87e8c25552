"""Methods of every kind, and asks in every way."""

from __future__ import annotations

import asyncio
from typing import Any

from mojo_seq import Actor, ActorRef
from troupe.basic import Counter
from troupe.journal import TIMEOUT


class Base(Actor):
    def inherited(self) -> str:
        return "base"

    def overridden(self) -> str:
        return "base"


class OddMethods(Base):
    attribute = 3

    def overridden(self) -> str:
        return "derived"

    @staticmethod
    def static(value: Any) -> Any:
        return value

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @property
    def computed(self) -> int:
        return 1

    class Inner:
        """Not a method."""

    def _private(self) -> int:
        return 1

    def stop_iteration(self) -> None:
        raise StopIteration("odd")

    async def stop_iteration_async(self) -> None:
        await asyncio.sleep(0)
        raise StopIteration("odd")

    def generator_exit(self) -> None:
        raise StopAsyncIteration("odd")

    def pass_on(self, ref: ActorRef[Any], method: str, *args: Any) -> Any:
        return ref.ask(method, *args)

    async def pass_on_async(self, ref: ActorRef[Any], method: str, *args: Any) -> Any:
        await asyncio.sleep(0)
        return ref.ask(method, *args)

    def ask_blocking(self, counter: ActorRef[Counter], k: int) -> int:
        return counter.ask(Counter.add, k).result(TIMEOUT)

    async def ask_awaiting(self, counter: ActorRef[Counter], k: int) -> int:
        return await counter.ask(Counter.add, k)

    async def ask_many(self, counter: ActorRef[Counter], count: int) -> list[int]:
        return list(await asyncio.gather(*[counter.ask(Counter.add, 1) for _ in range(count)]))
