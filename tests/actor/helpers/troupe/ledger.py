"""Actors whose workers are killed: what they have acknowledged can be read afterwards."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mojo_seq import Actor, ActorRef

ENTRY = struct.Struct("<III")  # sender, route, number

# How an entry comes to a ledger.
DIRECT, RELAYED, WITH_ARRAY = range(3)

Entry = tuple[int, int, int]


class Ledger(Actor):
    """Writes down what it is asked to, and only then acknowledges.

    A file that is opened for appending takes each entry whole, and keeps it when its writer dies.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def record(self, sender: int, route: int, number: int) -> Entry:
        os.write(self._file, ENTRY.pack(sender, route, number))
        return sender, route, number

    def record_array(
        self, sender: int, route: int, number: int, array: np.ndarray[Any, Any]
    ) -> Entry:
        """The array is large enough to come in shared memory."""
        if not (array == number).all():
            raise ValueError(f"the array that came with {number} is damaged")
        return self.record(sender, route, number)

    def on_stop(self, reason: object) -> None:
        os.close(self._file)


class Adder(Actor):
    """Has nothing to lose."""

    def add(self, a: int, b: int) -> int:
        return a + b


class Relay(Actor):
    """Passes on what it is asked to record, to a ledger that is mostly on another worker."""

    def __init__(self, ledger: ActorRef[Ledger]) -> None:
        self._ledger = ledger

    async def record(self, sender: int, route: int, number: int) -> Entry:
        return await self._ledger.ask(Ledger.record, sender, route, number)


def read_ledger(path: Path) -> list[Entry]:
    """All that was written down, in that order."""
    data = path.read_bytes() if path.exists() else b""
    return list(ENTRY.iter_unpack(data))
