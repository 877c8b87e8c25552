"""Processes that send one another the ends of pipes at random, and use those they have."""

from __future__ import annotations

import pickle
import random
from contextlib import suppress
from typing import NamedTuple

from mojo_seq import (
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    wait_many,
)
from puppets.pipes import next_message
from puppets.wire import TIMEOUT, Moved

DONE = b"done"


class Travels(NamedTuple):
    """What goes with an end wherever it goes."""

    pipe: int
    side: int
    written: int
    read: int


class Held:
    def __init__(self, travels: Travels, handle: MessagePipeHandle) -> None:
        self.pipe, self.side, self.written, self.read = travels
        self.handle = handle

    def travels(self) -> Travels:
        return Travels(self.pipe, self.side, self.written, self.read)

    def write(self, size: int) -> None:
        """The next number of this side, which its peer will look for."""
        text = f"{self.pipe} {self.side} {self.written} ".encode()
        self.handle.write(text + bytes(size))
        self.written += 1

    def read_all(self) -> None:
        """Checks that what is there is what comes next."""
        while True:
            try:
                message = self.handle.read()
            except ShouldWaitError:
                return
            with message:
                expected = f"{self.pipe} {1 - self.side} {self.read} ".encode()
                assert message.payload[: len(expected)] == expected, bytes(message.payload[:30])
            self.read += 1


class Mingler:
    """One of the processes; `links` lead to the others, of whom some may die."""

    def __init__(self, links: list[MessagePipeHandle], held: list[Held], seed: int) -> None:
        self._links = list(links)
        self._held = held
        self._rng = random.Random(seed)
        self._done = set[MessagePipeHandle]()  # links to others that send no more

    def run(self, steps: int) -> list[Held]:
        """Does so many things, then takes in what is still on its way."""
        for _ in range(steps):
            if self._held and self._links:
                self._step()
            self._take(0)
        for link in list(self._links):
            with suppress(PeerClosedError):
                link.write(DONE)
        while self._done < set(self._links):
            self._take(TIMEOUT)
        return self._held

    def _step(self) -> None:
        held = self._rng.choice(self._held)
        what = self._rng.random()
        with suppress(PeerClosedError):  # then it goes on in other hands, and is told there, too
            if what < 0.4:
                held.write(self._rng.choice([0, 10, 1_000, 70_000]) if what < 0.05 else 20)
            elif what < 0.6:
                held.read_all()
            else:
                self._rng.choice(self._links).write(pickle.dumps(held.travels()), [held.handle])
                self._held.remove(held)

    def _take(self, timeout: float) -> None:
        """What the others have sent; waits for something if there is time."""
        open_links = [link for link in self._links if link not in self._done]
        while open_links:
            result, index, _ = wait_many([(link, Signals.READABLE) for link in open_links], timeout)
            if index is None:
                assert timeout == 0, "nothing comes"
                return
            timeout = 0
            link = open_links[index]
            if result == 0:
                self._receive(link)
            else:
                self._links.remove(link)
            open_links = [each for each in self._links if each not in self._done]

    def _receive(self, link: MessagePipeHandle) -> None:
        with next_message(link) as message:
            if message.payload == DONE:
                self._done.add(link)
                return
            (handle,) = message.take_handles()
            assert isinstance(handle, MessagePipeHandle)
            self._held.append(Held(pickle.loads(message.payload), handle))


def mingle(
    links: list[MessagePipeHandle],
    ends: list[tuple[Travels, MessagePipeHandle]],
    seed: int,
    steps: int,
) -> list[tuple[Travels, Moved]]:
    """All that is held in the end goes back to the caller."""
    held = Mingler(links, [Held(*each) for each in ends], seed).run(steps)
    return [(each.travels(), Moved(each.handle)) for each in held]
