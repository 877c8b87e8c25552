"""The actors that the actors of these scripts are measured against: Pykka's, a thread each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import pykka

from mojo_seq.cli.bench.placing import pin
from mojo_seq.cli.bench.scale import rested


class Echo(pykka.ThreadingActor):
    """Answers what it was asked."""

    def on_receive(self, message: bytes) -> bytes:
        return message

    def ping(self, payload: bytes) -> bytes:
        return payload

    def pin(self, core: int) -> None:
        pin(core)


class Asker(Echo):
    """Has one question."""

    def __init__(self, other: Any, payload: bytes) -> None:
        super().__init__()
        self._other = other
        self._payload = payload

    def messages(self, n: int) -> None:
        ask = self._other.ask
        for _ in repeat(None, n):
            ask(self._payload)

    def calls(self, n: int) -> None:
        ask = self._other.proxy().ping
        for _ in repeat(None, n):
            ask(self._payload).get()

    def messages_rested(self, n: int) -> float:
        return rested(lambda: self._other.ask(self._payload), n)

    def calls_rested(self, n: int) -> float:
        proxy = self._other.proxy()
        return rested(lambda: proxy.ping(self._payload).get(), n)


class Sink(pykka.ThreadingActor):
    """Counts what comes."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def on_receive(self, message: bytes) -> None:
        self._count += 1

    def take(self, _payload: bytes) -> None:
        self._count += 1

    def reset(self) -> int:
        count, self._count = self._count, 0
        return count


class Member(pykka.ThreadingActor):
    """One of many."""

    def __init__(self, step: Callable[[], object]) -> None:
        super().__init__()
        step()
