"""Tells: one sender, one actor, 100,000 messages, until the last has been handled.

With the default mailbox the sender has to wait for room again and again (that is what its bound is
for); Pykka's has no bound, so there is one with room for all as well.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import repeat
from statistics import median
from typing import Any

from harness import Measure, main
from verdict import Target

from mojo_seq import Actor, ActorRef, ActorSystem, Mailbox
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pykka_actors import started
from mojo_seq.cli.bench.scale import BLOCKS, Scale, timed

COUNT = 100_000
ROOMY = Mailbox(capacity=COUNT + 10)
PAYLOAD = b"x" * 64


class Sink(Actor):
    """Counts what comes."""

    def __init__(self) -> None:
        self._count = 0

    def take(self, _payload: bytes) -> None:
        self._count += 1

    def reset(self) -> int:
        count, self._count = self._count, 0
        return count


class Source(Actor):
    """A sender that is an actor itself."""

    def send(self, sink: ActorRef[Sink], n: int) -> None:
        tell = sink.take.tell
        for _ in repeat(None, n):
            tell(PAYLOAD)


def nanoseconds(scale: Scale, send: Callable[[int], object], drained: Callable[[], int]) -> float:
    """Time per message, from the first tell until the last was handled."""

    def run(n: int) -> None:
        send(n)
        if (handled := drained()) != n:
            raise AssertionError(f"{handled} of {n} messages were handled")

    n = scale.n(COUNT)
    run(max(1, n // 10))
    return median(timed(run, n) for _ in range(BLOCKS)) / n * 1e9


def mojo(mailbox: Mailbox | None, workers: int, scale: Scale) -> float:
    with ActorSystem(workers) as system:
        sink: Any = system.spawn(Sink, mailbox=mailbox)

        def send(n: int) -> None:
            tell = sink.take.tell
            for _ in repeat(None, n):
                tell(PAYLOAD)

        return nanoseconds(scale, send, lambda: sink.reset().result())


def mojo_from_an_actor(scale: Scale) -> float:
    with ActorSystem(2) as system:
        sink = system.spawn(Sink, mailbox=ROOMY)
        source = system.spawn(Source)
        return nanoseconds(
            scale,
            lambda n: source.ask(Source.send, sink, n).result(),
            lambda: sink.ask(Sink.reset).result(),
        )


def pykka(by_proxy: bool, scale: Scale) -> float:
    """By proxy it calls methods, like ours; bare messages to one function are less."""
    from pykka_actors import Sink as PykkaSink

    with started(PykkaSink) as sink:
        tell = sink.proxy().take.defer if by_proxy else sink.tell
        reset = sink.proxy().reset

        def send(n: int) -> None:
            for _ in repeat(None, n):
                tell(PAYLOAD)

        return nanoseconds(scale, send, lambda: reset().get())


def simple_queue(scale: Scale) -> float:
    """The least that it can be: a thread and its queue, by hand."""
    messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    counts: queue.SimpleQueue[int] = queue.SimpleQueue()

    def serve() -> None:
        get, count = messages.get, 0
        while True:
            if get() is not None:
                count += 1
            elif count:
                counts.put(count)
                count = 0
            else:
                return

    def send(n: int) -> None:
        put = messages.put
        for _ in repeat(None, n):
            put(PAYLOAD)
        put(None)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return nanoseconds(scale, send, counts.get)
    finally:
        messages.put(None)
        thread.join()


DEFAULT, ROOM = "mojo_seq, default mailbox", "mojo_seq, room for all"
PEERS = {"Pykka, proxy": True, "Pykka, bare messages": False}

MEASURES = (
    Measure(
        "tell, one sender, 100,000 messages of 64 bytes",
        "ns a message",
        (
            Contender(DEFAULT, partial(mojo, None, 4)),
            Contender(ROOM, partial(mojo, ROOMY, 4)),
            Contender("mojo_seq, room for all, told by an actor", mojo_from_an_actor),
            *(Contender(name, partial(pykka, proxy), "pykka") for name, proxy in PEERS.items()),
            Contender("queue.SimpleQueue and a thread", simple_queue),
        ),
        tuple(Target.better(ours, peer, 5) for ours in (DEFAULT, ROOM) for peer in PEERS),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
