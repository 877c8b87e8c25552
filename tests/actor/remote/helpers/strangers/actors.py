"""Actors with a view on the process that they are in."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import numpy as np

from mojo_seq import Actor, ActorRef, Down, SharedBufferHandle, _core, interleaved
from mojo_seq.actor.remote.connections import connections
from mojo_seq.process import give, shared_array


class Depot(Actor):
    """Takes things in, and hands them out."""

    def __init__(self, start: Any = None) -> None:
        self.things = [] if start is None else [start]
        self.count = 0

    def add(self, k: int = 1) -> int:
        self.count += k
        return self.count

    def put(self, thing: Any) -> int:
        self.things.append(thing)
        return len(self.things)

    def take(self) -> Any:
        return self.things.pop()

    def write_into(self, array: np.ndarray[Any, Any], value: float) -> tuple[bool, float]:
        """Whether it can be written to, and its sum then."""
        writeable = array.flags.writeable
        if writeable:
            array[:] = value
        return writeable, float(array.sum())

    def fill(self, buffer: SharedBufferHandle, value: int) -> SharedBufferHandle:
        buffer.as_array(np.uint8)[:] = value
        return buffer

    def lock(self) -> Any:
        return [threading.Lock()]

    def pid(self) -> int:
        return os.getpid()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def exit(self, code: int) -> None:
        os._exit(code)

    def fail(self) -> None:
        raise LookupError("as told")

    def open_handles(self) -> int:
        return _core.live_objects()["dispatcher"]


class Friend(Actor):
    """Asks others."""

    def ask_it(self, ref: ActorRef[Any], method: str, *args: Any) -> Any:
        return ref.ask(method, *args).result(10)

    def ask_many(self, ref: ActorRef[Any], method: str, count: int) -> int:
        for number in range(count):
            ref.ask(method, number).result(10)
        return count

    def keep(self, ref: ActorRef[Any]) -> None:
        self.kept = ref

    def ask_kept(self, method: str, *args: Any) -> Any:
        return self.kept.ask(method, *args).result(10)

    async def await_it(self, ref: ActorRef[Any], method: str, *args: Any) -> Any:
        return await ref.ask(method, *args)

    @interleaved
    async def await_on(self, ref: ActorRef[Any]) -> int:
        """Again and again, until told that it is enough."""
        self.is_enough = False
        asked = 0
        while not self.is_enough:
            await ref.ask("add", 0)
            asked += 1
        return asked

    def enough(self) -> None:
        self.is_enough = True

    def tell_it(self, ref: ActorRef[Any], method: str, *args: Any) -> None:
        ref.tell(method, *args)

    def own(self) -> ActorRef[Any]:
        return self.ref

    def child(self) -> ActorRef[Depot]:
        return self.spawn(Depot)

    def ways_while_asking(self, ref: ActorRef[Any], method: str) -> set[bytes]:
        """To which nodes this process has a connection when it has asked."""
        ref.ask(method).result(10)
        return set(connections._connections.keys())

    def pid(self) -> int:
        return os.getpid()


class Watching(Actor):
    """Monitors others."""

    def __init__(self) -> None:
        self.downs: list[Down] = []

    def look_at(self, ref: ActorRef[Any]) -> None:
        self.monitor(ref, self.downs.append)

    def tie_to(self, ref: ActorRef[Any]) -> None:
        self.link(ref)

    def seen(self) -> list[Down]:
        return self.downs


class Doorkeeper(Actor):
    """At home; lets those who wait at it pass when it is told to open."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.arrived = asyncio.Event()

    @interleaved
    async def wait(self) -> None:
        self.arrived.set()
        await self.opened.wait()

    @interleaved
    async def await_guest(self) -> None:
        await self.arrived.wait()
        self.arrived.clear()

    def open(self) -> None:
        self.opened.set()


class Waiting(Actor):
    """Can be held at a door, and notes what it is sent."""

    def __init__(self) -> None:
        self.notes: list[int] = []

    def wait_at(self, door: ActorRef[Doorkeeper]) -> None:
        door.ask(Doorkeeper.wait).result(10)

    def note(self, number: int) -> int:
        self.notes.append(number)
        return number

    def noted(self) -> list[int]:
        return self.notes


class Finder(Actor):
    """Looks for others by name, from where it is."""

    def find(self, name: str) -> Any:
        return self.system.find(name)

    async def find_in_coroutine(self, name: str) -> Any:
        return self.system.find(name)

    def spawn_and_find(self, name: str) -> bool:
        child = self.spawn(Depot, name=name)
        return bool(self.system.find(name) == child)


class Arrays(Actor):
    """Keeps an array and does things with it."""

    def __init__(self, array: Any = None) -> None:
        self.array = array

    def keep(self, parcel: dict[str, Any] | None) -> None:
        self.array = None if parcel is None else parcel["it"]

    def make(self, count: int) -> Any:
        self.array = shared_array(count)
        return self.array

    def fill(self, value: float) -> None:
        self.array[...] = value

    def total(self) -> float:
        return float(self.array.sum())

    def negative(self, array: Any) -> Any:
        array *= -1
        return give(array)
