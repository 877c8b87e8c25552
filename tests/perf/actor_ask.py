"""Asks: one actor asks another for an answer of 64 bytes, one ask at a time, against Pykka.

Two actors on threads of their own: on one processor that shows what the software costs, on two
what it costs to wake a sleeping processor, or that somebody was still awake. After a pause the
other one is asleep for certain. Then actors on the same pool of threads, where an `await` needs no
second thread at all; there the threads run wherever the scheduler puts them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import repeat
from typing import Any

from harness import Measure, main
from verdict import Target

from mojo_seq import ActorRef, ActorSystem, ThreadPool
from mojo_seq.cli.bench.cases.ask import PAYLOAD, Echo
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pykka_actors import started
from mojo_seq.cli.bench.placing import one_core, two_cores
from mojo_seq.cli.bench.scale import Scale, rested

Cores = Callable[[], tuple[int, int]]
Asks = Callable[[int], Any]  # has the one actor ask the other so many times
Pair = Callable[[int, int], AbstractContextManager[Asks]]


class Asker(Echo):
    """Has one question."""

    def __init__(self, other: ActorRef[Echo]) -> None:
        self._other: Any = other

    def block(self, n: int) -> None:
        ask = self._other.ping
        for _ in repeat(None, n):
            ask(PAYLOAD).result()

    async def wait(self, n: int) -> None:
        ask = self._other.ping
        for _ in repeat(None, n):
            await ask(PAYLOAD)

    def block_rested(self, n: int) -> float:
        return rested(lambda: self._other.ping(PAYLOAD).result(), n)


@contextmanager
def mojo(method: str, here: int, there: int) -> Iterator[Asks]:
    with ThreadPool(1) as one, ThreadPool(1) as two, ActorSystem(1) as system:
        echo = system.spawn(Echo, on=one)
        asker = system.spawn(Asker, echo, on=two)
        asker.ask(Asker.pin, here).result()
        echo.ask(Echo.pin, there).result()
        yield lambda n: asker.ask(method, n).result()


@contextmanager
def pykka(method: str, here: int, there: int) -> Iterator[Asks]:
    """By proxy it calls methods, like ours; bare messages to one function are less."""
    from pykka_actors import Asker, Echo

    with started(Echo) as echo, started(Asker, echo, PAYLOAD) as asker:
        asker.proxy().pin(here).get()
        echo.proxy().pin(there).get()
        run = getattr(asker.proxy(), method)
        yield lambda n: run(n).get()


def steady(pair: Pair, cores: Cores, scale: Scale) -> float:
    """Microseconds of an ask, one right after the other."""
    with pair(*cores()) as asks:
        return scale.per_operation(asks, 1.0) * 1e6


def asleep(pair: Pair) -> Callable[[Scale], float]:
    """Microseconds of an ask whose actor is asleep."""

    def sample(scale: Scale) -> float:
        with pair(*two_cores()) as asks:
            asks(scale.n(100))
            return float(asks(scale.n(500))) * 1e6

    return sample


def on_one_pool(method: str, workers: int, scale: Scale) -> float:
    """Asker and echo are sequences of the system's pool, as is most usual."""
    with ActorSystem(workers) as system:
        asker = system.spawn(Asker, system.spawn(Echo))
        return scale.per_operation(lambda n: asker.ask(method, n).result(), 1.0) * 1e6


def asyncio_task(scale: Scale) -> float:
    """An actor by hand: a task with a queue, and one that asks it on the same loop."""

    async def run(n: int) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[bytes, asyncio.Future[bytes]]] = asyncio.Queue()

        async def echo() -> None:
            while True:
                payload, future = await queue.get()
                future.set_result(payload)

        task = asyncio.create_task(echo())
        for _ in repeat(None, n):
            future: asyncio.Future[bytes] = loop.create_future()
            queue.put_nowait((PAYLOAD, future))
            await future
        task.cancel()

    with asyncio.Runner() as runner:
        return scale.per_operation(lambda n: runner.run(run(n)), 1.0) * 1e6


RESULT, AWAIT = "mojo_seq, result()", "mojo_seq, await"
CALLS, MESSAGES = "Pykka, proxy", "Pykka, bare messages"


def between_threads(where: str, cores: Cores, *more: Target) -> Measure:
    ours: dict[str, Pair] = {RESULT: partial(mojo, "block"), AWAIT: partial(mojo, "wait")}
    peers: dict[str, Pair] = {
        CALLS: partial(pykka, "calls"),
        MESSAGES: partial(pykka, "messages"),
    }
    return Measure(
        f"ask between two actors on different threads, {where}",
        "us",
        (
            *(Contender(name, partial(steady, pair, cores)) for name, pair in ours.items()),
            *(
                Contender(name, partial(steady, pair, cores), "pykka")
                for name, pair in peers.items()
            ),
        ),
        (*(Target.within(name, peer, 0.5) for name in ours for peer in peers), *more),
    )


def busy(name: str) -> Target:
    return Target.at_most(name, 10, "us")


MEASURES = (
    between_threads("one processor", one_core),
    between_threads("two processors, both busy", two_cores, busy(RESULT), busy(AWAIT)),
    Measure(
        "ask between two actors on different threads, two processors, the other one asleep",
        "us",
        (
            Contender(RESULT, asleep(partial(mojo, "block_rested"))),
            Contender(CALLS, asleep(partial(pykka, "calls_rested")), "pykka"),
            Contender(MESSAGES, asleep(partial(pykka, "messages_rested")), "pykka"),
        ),
        (Target.within(RESULT, CALLS, 0.5), Target.within(RESULT, MESSAGES, 0.5)),
    ),
    Measure(
        "ask between two actors on the system's pool",
        "us",
        (
            Contender("mojo_seq, await, 1 thread", partial(on_one_pool, "wait", 1)),
            Contender("mojo_seq, await, 4 threads", partial(on_one_pool, "wait", 4)),
            Contender("mojo_seq, result(), 2 threads", partial(on_one_pool, "block", 2)),
            Contender("mojo_seq, result(), 4 threads", partial(on_one_pool, "block", 4)),
            Contender("asyncio task by hand", asyncio_task),
        ),
        (
            Target.at_most("mojo_seq, await, 1 thread", 5, "us"),
            Target.at_most("mojo_seq, await, 4 threads", 5, "us"),
            Target.at_most("mojo_seq, result(), 4 threads", 5, "us"),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
