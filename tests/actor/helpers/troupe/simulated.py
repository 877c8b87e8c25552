"""Actors for the tests on mock time: some of them with a defect of concurrency in them."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor, ActorRef, interleaved


class Account(Actor):
    """Keeps a balance."""

    def __init__(self) -> None:
        self.balance = 0

    def get(self) -> int:
        return self.balance

    def set(self, balance: int) -> None:
        self.balance = balance

    async def deposit(self, amount: int, bank: ActorRef[Account]) -> None:
        before = self.balance
        await bank.ask(Account.get)
        self.balance = before + amount

    @interleaved
    async def deposit_interleaved(self, amount: int, bank: ActorRef[Account]) -> None:
        """Loses updates: others come in between."""
        before = self.balance
        await bank.ask(Account.get)
        self.balance = before + amount


class Teller(Actor):
    """Deposits by reading and writing: loses updates when there are two of them."""

    def __init__(self, account: ActorRef[Account]) -> None:
        self.account = account

    def deposit(self, amount: int) -> None:
        balance = self.account.ask(Account.get).result()
        self.account.ask(Account.set, balance + amount).result()


class Ticker(Actor):
    """Notes when it ticks."""

    def __init__(self, period: float, log: list[Any]) -> None:
        self.period = period
        self.log = log

    def on_start(self) -> None:
        self.call_later(self.period, self.tick)

    def tick(self) -> None:
        self.log.append(self.period)
        self.call_later(self.period, self.tick)


class Failing(Actor):
    """Tells when it is made."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        log.append("made")

    def fail(self) -> None:
        raise LookupError("as told")

    def work(self) -> int:
        return 1


class Nanny(Actor):
    """Has one child."""

    def have(self, log: list[str]) -> ActorRef[Failing]:
        return self.spawn(Failing, log)


class Lazy(Actor):
    """Ends when nothing comes."""

    def __init__(self, seconds: float) -> None:
        self.set_idle_timeout(seconds)

    def work(self) -> None: ...


class Appender(Actor):
    """Appends what it is told."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries

    def append(self, entry: Any) -> None:
        self.entries.append(entry)
