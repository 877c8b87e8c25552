"""An actor in another process that can be asked: ours, xoscar's and Ray's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import repeat
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from two_processes import place

from mojo_seq import Actor, ActorRef, ActorSystem, ProcessPool, SharedBufferHandle

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
# Asks the method of that name, so many times, each time with that argument; the last answer.
Asks = Callable[[str, Any, int], Any]
Link = Callable[
    [int, int], AbstractContextManager[Asks]
]  # this process and the other one are where

RAY_STORE = 1 << 30  # bytes; all of Ray's arrays are in there


class Echo(Actor):
    """Answers what it was asked."""

    def ping(self, payload: bytes) -> bytes:
        return payload

    def look(self, array: Array) -> tuple[float, float]:
        return float(array[0]), float(array[-1])

    def take(self, buffer: SharedBufferHandle) -> tuple[float, float]:
        with buffer:
            array = buffer.as_array(np.float64)
        return float(array[0]), float(array[-1])

    def place(self, core: int) -> None:
        place(core)


class Asker(Echo):
    """Asks from a process of its own."""

    def __init__(self, other: ActorRef[Echo]) -> None:
        self._other = other

    def repeat(self, method: str, argument: Any, n: int) -> Any:
        return ask(self._other, method, argument, n)


def ask(ref: ActorRef[Echo], method: str, argument: Any, n: int) -> Any:
    send = getattr(ref, method)
    answer = None
    for _ in repeat(None, n):
        answer = send(argument).result()
    return answer


@contextmanager
def mojo(here: int, there: int) -> Iterator[Asks]:
    """A thread asks, and blocks."""
    with ProcessPool(1) as pool, ActorSystem(1) as system:
        echo = system.spawn(Echo, on=pool)
        echo.ask(Echo.place, there).result()
        place(here)
        yield lambda method, argument, n: ask(echo, method, argument, n)


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


@contextmanager
def xoscar(here: int, there: int) -> Iterator[Asks]:
    import xoscar as xo
    from xoscar_actors import Echo as XoscarEcho

    async def start() -> tuple[Any, Any]:
        pool = await xo.create_actor_pool("127.0.0.1:0", n_process=1)
        in_process = xo.allocate_strategy.ProcessIndex(1)
        ref = await xo.create_actor(
            XoscarEcho, address=pool.external_address, uid="echo", allocate_strategy=in_process
        )
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


class RayEcho:
    """Made an actor by Ray."""

    def ping(self, payload: bytes) -> bytes:
        return payload

    def look(self, array: Array) -> tuple[float, float]:
        return float(array[0]), float(array[-1])

    def place(self, core: int) -> None:
        place(core)


@contextmanager
def ray(here: int, there: int) -> Iterator[Asks]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray as r

    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        r.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=RAY_STORE,
            _temp_dir=folder,
        )
        try:
            ref: Any = r.remote(RayEcho).remote()
            r.get(ref.place.remote(there))
            place(here)

            def repeated(method: str, argument: Any, n: int) -> Any:
                send = getattr(ref, method).remote
                answer = None
                for _ in repeat(None, n):
                    answer = r.get(send(argument))
                return answer

            yield repeated
        finally:
            r.shutdown()
