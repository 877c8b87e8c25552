"""Ask an actor in the same process, one ask at a time, 64 bytes there and back.

A thread asks an actor that is on another one. An actor that awaits its asks, and the one it asks,
share a thread. xoscar's actor is asked by a coroutine, and lives on the same event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from mojo_seq import Actor, ActorRef, ActorSystem
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pykka_actors import pykka_echo
from mojo_seq.cli.bench.peers.xoscar_actors import xoscar
from mojo_seq.cli.bench.placing import apart, pin
from mojo_seq.cli.bench.scale import Scale

PAYLOAD = b"x" * 64


class Echo(Actor):
    """Answers what it was asked."""

    def ping(self, payload: bytes) -> bytes:
        return payload

    def pin(self, core: int) -> None:
        pin(core)


class Asker(Echo):
    """Asks another actor, so many times."""

    def __init__(self, other: ActorRef[Echo]) -> None:
        self._other: Any = other

    async def repeat(self, n: int) -> None:
        ask = self._other.ping
        for _ in repeat(None, n):
            await ask(PAYLOAD)


@contextmanager
def echo_on(core: int) -> Iterator[tuple[ActorSystem, ActorRef[Echo]]]:
    with ActorSystem(1) as system:
        echo = system.spawn(Echo)
        echo.ask(Echo.pin, core).result()
        yield system, echo


def thread_asks(scale: Scale) -> float:
    here, there = apart()
    pin(here)
    with echo_on(there) as (_, echo):
        ping: Any = echo.ping

        def run(n: int) -> None:
            for _ in repeat(None, n):
                ping(PAYLOAD).result()

        return scale.per_operation(run, 1.0) * 1e6


def actor_asks(scale: Scale) -> float:
    here, there = apart()
    pin(here)
    with echo_on(there) as (system, echo):
        asker = system.spawn(Asker, echo)
        return scale.per_operation(lambda n: asker.ask(Asker.repeat, n).result(), 1.0) * 1e6


def pykka(scale: Scale) -> float:
    here, there = apart()
    pin(here)
    with pykka_echo(there) as ping:

        def run(n: int) -> None:
            for _ in repeat(None, n):
                ping(PAYLOAD).get()

        return scale.per_operation(run, 1.0) * 1e6


def xoscar_in_process(scale: Scale) -> float:
    here, _ = apart()
    with xoscar(here, None) as asks:
        return scale.per_operation(lambda n: asks("ping", PAYLOAD, n), 1.0) * 1e6


CASE = Case(
    "ask an actor in this process",
    "us",
    (
        Contender("mojo_seq, a thread asks", thread_asks),
        Contender("mojo_seq, an actor asks", actor_asks),
        Contender("Pykka, a thread asks", pykka, "pykka"),
        Contender("xoscar, a coroutine asks", xoscar_in_process, "xoscar"),
    ),
)
