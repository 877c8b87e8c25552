"""Ask an actor in another process, one ask at a time, 64 bytes there and back; two processors.

xoscar is asked by a coroutine, as it has to be, all others by a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from mojo_seq import Actor, ActorRef, ActorSystem, ProcessPool, SharedBufferHandle
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.cases.array import Array
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.ray_session import ray_session
from mojo_seq.cli.bench.peers.xoscar_actors import Asks, xoscar
from mojo_seq.cli.bench.placing import TwoCores, apart, place
from mojo_seq.cli.bench.scale import Scale

PAYLOAD = b"x" * 64

# This process and the actor's are on these processors.
Link = Callable[[int, int], AbstractContextManager[Asks]]


class PlainEcho:
    """Answers what it was asked. Made an actor by Ray."""

    def ping(self, payload: bytes) -> bytes:
        return payload

    def look(self, array: Array) -> tuple[float, float]:
        return float(array[0]), float(array[-1])

    def place(self, core: int) -> None:
        place(core)


class Echo(PlainEcho, Actor):
    """Ours."""

    def own(self, _: object) -> ActorRef[Any]:
        return self.ref

    def take(self, buffer: SharedBufferHandle) -> tuple[float, float]:
        with buffer:
            array = buffer.as_array(np.float64)
        return float(array[0]), float(array[-1])


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
def ray(here: int, there: int) -> Iterator[Asks]:
    with ray_session(2) as r:
        ref: Any = r.remote(PlainEcho).remote()
        r.get(ref.place.remote(there))
        place(here)

        def repeated(method: str, argument: Any, n: int) -> Any:
            send = getattr(ref, method).remote
            answer = None
            for _ in repeat(None, n):
                answer = r.get(send(argument))
            return answer

        yield repeated


def steady(link: Link, cores: TwoCores, scale: Scale) -> float:
    """Microseconds of an ask, one right after the other."""
    with link(*cores()) as asks:
        return scale.per_operation(lambda n: asks("ping", PAYLOAD, n), 1.0) * 1e6


CASE = Case(
    "ask an actor in another process",
    "us",
    (
        Contender("mojo_seq", partial(steady, mojo, apart)),
        Contender("xoscar", partial(steady, xoscar, apart), "xoscar"),
        Contender("Ray", partial(steady, ray, apart), "ray"),
    ),
)
