"""Spawning: how many actors a second, what each one weighs, and 100,000 of them on four threads.

An actor counts as spawned when its constructor has run on its sequence. The memory is the growth of
the resident set of a fresh process with 100,000 actors alive, refs included; "used" ones have
handled a message, which counts as well.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from functools import partial
from typing import Any

from harness import Measure, main
from memory import bytes_each
from verdict import Target

from mojo_seq import Actor, ActorSystem
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale

COUNT = 100_000
FEW = 1000  # of peers that have a thread each, or are slow
THREADS = 4


class Gate:
    """Opens when it has been passed so many times, by any threads."""

    def __init__(self, passes: int) -> None:
        self._last = passes
        self._count = itertools.count(1)  # counts without a lock
        self._opened = threading.Event()

    def step(self) -> None:
        if next(self._count) == self._last:
            self._opened.set()

    def wait(self) -> None:
        if not self._opened.wait(120):
            raise AssertionError(f"{self._last} were expected, {next(self._count) - 1} came")


class Member(Actor):
    """One of very many."""

    def __init__(self, gate: Gate) -> None:
        gate.step()

    def touch(self, gate: Gate) -> None:
        gate.step()


def spawned_a_second(scale: Scale) -> float:
    count = scale.n(COUNT)
    gate = Gate(count)
    with ActorSystem(THREADS) as system:
        spawn = system.spawn
        start = time.perf_counter()
        refs = [spawn(Member, gate) for _ in range(count)]
        gate.wait()
        elapsed = time.perf_counter() - start
        check_all_alive(refs)
    return count / elapsed


def ended_a_second(scale: Scale) -> float:
    """Leaving the block of a system that has so many."""
    count = scale.n(COUNT)
    gate = Gate(count)
    with ActorSystem(THREADS) as system:
        refs = [system.spawn(Member, gate) for _ in range(count)]
        gate.wait()
        start = time.perf_counter()
    elapsed = time.perf_counter() - start
    if any(ref.is_alive for ref in refs):
        raise AssertionError("an actor has outlived its system")
    return count / elapsed


def check_all_alive(refs: list[Any]) -> None:
    """They all answer, and share the threads."""
    gate = Gate(len(refs))
    for ref in refs:
        ref.touch.tell(gate)
    gate.wait()
    workers = [each for each in threading.enumerate() if each is not threading.main_thread()]
    if len(workers) > THREADS:
        raise AssertionError(f"{len(workers)} threads for {len(refs)} actors")


def bytes_of_one(used: bool, scale: Scale) -> float:
    count = scale.n(COUNT)
    # Full-sized beforehand, so that the list is not part of the growth.
    refs: list[Any] = [None] * count
    gate, touches = Gate(count), Gate(count)
    with ActorSystem(THREADS) as system:
        first: Any = system.spawn(Member, Gate(1))
        first.touch(Gate(1)).result()  # what is allocated once and for all

        def make(index: int) -> None:
            ref: Any = system.spawn(Member, gate)
            refs[index] = ref
            if used:
                ref.touch.tell(touches)
            if index == count - 1:
                gate.wait()
                if used:
                    touches.wait()

        growth = bytes_each(count, make)
        check_all_alive(refs)
    return growth


def pykka_spawned_a_second(scale: Scale) -> float:
    import pykka_actors

    count = max(10, scale.n(FEW))
    gate = Gate(count)
    start = time.perf_counter()
    refs = [pykka_actors.Member.start(gate.step) for _ in range(count)]
    gate.wait()
    elapsed = time.perf_counter() - start
    for ref in refs:
        ref.stop()
    return count / elapsed


def pykka_bytes_of_one(scale: Scale) -> float:
    import pykka_actors

    count = max(10, scale.n(FEW))
    refs: list[Any] = [None] * count
    gate = Gate(count)

    def make(index: int) -> None:
        refs[index] = pykka_actors.Member.start(gate.step)
        if index == count - 1:
            gate.wait()

    growth = bytes_each(count, make)
    for ref in refs:
        ref.stop()
    return growth


def asyncio_tasks_a_second(scale: Scale) -> float:
    """An actor by hand: a task with a queue."""
    count = scale.n(COUNT)

    async def run() -> float:
        queues: list[asyncio.Queue[None]] = []
        tasks = []
        start = time.perf_counter()
        for _ in range(count):
            queues.append(asyncio.Queue())
            tasks.append(asyncio.create_task(queues[-1].get()))
        await asyncio.sleep(0)  # they have begun
        elapsed = time.perf_counter() - start
        for queue in queues:
            queue.put_nowait(None)
        await asyncio.gather(*tasks)
        return elapsed

    return count / asyncio.run(run())


SPAWN = "mojo_seq, spawn"

MEASURES = (
    Measure(
        "spawn, 100,000 actors on four threads",
        "actors/s",
        (
            Contender(SPAWN, spawned_a_second),
            Contender("mojo_seq, end of the system", ended_a_second),
            Contender("Pykka (1,000)", pykka_spawned_a_second, "pykka"),
            Contender("asyncio task with a queue, by hand", asyncio_tasks_a_second),
        ),
        (Target.at_least(SPAWN, 100_000, "actors/s"),),
        higher_is_better=True,
    ),
    Measure(
        "memory of an actor, 100,000 alive on four threads",
        "bytes",
        (
            Contender("mojo_seq, new", partial(bytes_of_one, False)),
            Contender("mojo_seq, used", partial(bytes_of_one, True)),
            Contender("Pykka (1,000)", pykka_bytes_of_one, "pykka"),
        ),
        (
            Target.at_most("mojo_seq, new", 1500, "bytes"),
            Target.at_most("mojo_seq, used", 1500, "bytes"),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
