"""An actor in another process that is asked by a coroutine, or by an actor in a third one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from mojo_seq import ActorRef, ActorSystem, ProcessPool
from mojo_seq.cli.bench.cases.ask_process import Echo, ask
from mojo_seq.cli.bench.peers.xoscar_actors import Asks
from mojo_seq.cli.bench.placing import place


class Asker(Echo):
    """Asks from a process of its own."""

    def __init__(self, other: ActorRef[Echo]) -> None:
        self._other = other

    def repeat(self, method: str, argument: Any, n: int) -> Any:
        return ask(self._other, method, argument, n)


@contextmanager
def mojo_asyncio(here: int, there: int) -> Iterator[Asks]:
    """A coroutine asks, and awaits."""
    with ProcessPool(1) as pool, ActorSystem(1) as system, asyncio.Runner() as runner:
        echo = system.spawn(Echo, on=pool)
        echo.ask(Echo.place, there).result()
        place(here)

        async def repeated(method: str, argument: Any, n: int) -> Any:
            send = getattr(echo, method)
            answer = None
            for _ in repeat(None, n):
                answer = await send(argument)
            return answer

        yield lambda method, argument, n: runner.run(repeated(method, argument, n))


@contextmanager
def mojo_between_workers(here: int, there: int) -> Iterator[Asks]:
    """An actor in one worker process asks one in another. This process only starts it."""
    with ProcessPool(2) as pool, ActorSystem(1) as system:
        echo = system.spawn(Echo, on=pool)
        asker = system.spawn(Asker, echo, on=pool)
        echo.ask(Echo.place, there).result()
        asker.ask(Asker.place, here).result()
        yield lambda method, argument, n: asker.ask(Asker.repeat, method, argument, n).result()
