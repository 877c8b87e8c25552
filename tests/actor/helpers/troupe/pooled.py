"""Actors for the tests of pools of actors."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from mojo_seq import Actor, current_task
from troupe.journal import TIMEOUT

started = threading.Event()


class Worker(Actor):
    """Counts its own calls."""

    def __init__(self, base: int = 0) -> None:
        self.base = base
        self.calls = 0

    def add(self, number: int, *, twice: bool = False) -> int:
        self.calls += 1
        return self.base + number * (2 if twice else 1)

    async def add_async(self, number: int) -> int:
        await asyncio.sleep(0)
        return self.base + number

    def count(self) -> int:
        return self.calls

    def fail(self, text: str) -> None:
        raise LookupError(text)

    def cooperate(self) -> None:
        """Goes on until it is cancelled."""
        started.set()
        current_task().sleep(TIMEOUT)
        raise AssertionError("was not cancelled")

    async def cooperate_async(self) -> None:
        started.set()
        while True:
            await asyncio.sleep(0.001)
            current_task().check_cancelled()

    def break_down(self) -> None:
        """Fails as an actor, not as a call."""
        self.call_later(0, self.fail, "broken")

    def pid(self) -> int:
        return os.getpid()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class NeverMade(Actor):
    """Its constructor fails."""

    def __init__(self) -> None:
        raise LookupError("never made")

    def work(self) -> None:
        raise AssertionError("was made")
