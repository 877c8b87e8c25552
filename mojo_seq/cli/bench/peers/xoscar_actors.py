"""xoscar's actors, in this process or in another one; they are asked by coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from mojo_seq.cli.bench.placing import place

# Asks the method of that name, so many times, each time with that argument; the last answer.
Asks = Callable[[str, Any, int], Any]


class Echo:
    """Answers what it was asked."""

    async def ping(self, payload: bytes) -> bytes:
        return payload

    async def look(self, array: Any) -> tuple[float, float]:
        return float(array[0]), float(array[-1])

    async def own(self, _: object) -> Any:
        actor: Any = self
        return actor.ref()

    async def place(self, core: int) -> None:
        place(core)


@contextmanager
def xoscar(here: int, there: int | None) -> Iterator[Asks]:
    """The actor is in another process on processor `there`; None: in this one, on the same loop."""
    import xoscar as xo

    # In no module: sent to the other process by value.
    actor_class = type("XoscarEcho", (Echo, xo.StatelessActor), {})

    async def start() -> tuple[Any, Any]:
        processes = 0 if there is None else 1
        pool = await xo.create_actor_pool("127.0.0.1:0", n_process=processes)
        where = xo.allocate_strategy.ProcessIndex(processes)
        ref = await xo.create_actor(
            actor_class, address=pool.external_address, uid="echo", allocate_strategy=where
        )
        if there is not None:
            await ref.place(there)
        return pool, ref

    async def repeated(ref: Any, method: str, argument: Any, n: int) -> Any:
        send = getattr(ref, method)
        answer = None
        for _ in repeat(None, n):
            answer = await send(argument)
        return answer

    with asyncio.Runner() as runner:
        pool, ref = runner.run(start())
        place(here)
        yield lambda method, argument, n: runner.run(repeated(ref, method, argument, n))
        runner.run(pool.stop())
