"""Actors in a TaskEnvironment: one thread, mock time, an order that can be repeated (§13)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from troupe.basic import Counter
from troupe.rings import Link
from troupe.simulated import (
    Account,
    Appender,
    Failing,
    Lazy,
    Nanny,
    Teller,
    Ticker,
)

from mojo_seq import ActorDeadError, ActorSystem, AskCycleError, Mailbox, Supervisor
from mojo_seq.testing import TaskEnvironment, explore

SEEDS = [None, 0, 1, 2, 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_asks_and_tells(seed: int | None) -> None:
    with TaskEnvironment(seed), ActorSystem() as system:
        counter = system.spawn(Counter, 10)
        assert counter.add(5).result() == 15
        counter.add.tell(1)
        assert counter.add_async(1).result() == 17
        assert [reply.result() for reply in [counter.add(1) for _ in range(50)]] == list(
            range(18, 68)
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_leaves_the_thread(seed: int | None) -> None:
    before = threading.active_count()
    with TaskEnvironment(seed), ActorSystem(4) as system:
        counters = [system.spawn(Counter) for _ in range(20)]
        assert [counter.add_async(1).result() for counter in counters] == [1] * 20
        assert threading.active_count() == before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_that_waits_for_one_another(seed: int | None) -> None:
    with TaskEnvironment(seed), ActorSystem() as system:
        row = [system.spawn(Link, str(number)) for number in range(20)]
        assert row[0].ask_along([(link, "ask_along") for link in row[1:]]).result() == "19"
        assert row[0].await_along([(link, "await_along") for link in row[1:]]).result() == "19"


@pytest.mark.parametrize("methods", [("ask_along",) * 2, ("await_along",) * 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_cycles_raise(seed: int | None, methods: tuple[str, str]) -> None:
    with TaskEnvironment(seed), ActorSystem() as system:
        a, b = (system.spawn(Link, label) for label in "ab")
        with pytest.raises(AskCycleError) as caught:
            a.ask(methods[0], [(b, methods[1]), (a, "ask_along")]).result()
        assert set(caught.value.chain) == {a, b}


@pytest.mark.parametrize("seed", SEEDS)
def test_timers_are_of_mock_time(seed: int | None) -> None:
    log: list[Any] = []
    with TaskEnvironment(seed) as environment, ActorSystem() as system:
        system.spawn(Ticker, 60.0, log)
        system.spawn(Ticker, 3600.0, log)
        environment.run_until_idle()
        assert log == []
        environment.advance(59.0)
        assert log == []
        environment.advance(1.0)
        assert log == [60.0]
        environment.advance(3600.0)
        assert (log.count(60.0), log.count(3600.0)) == (61, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_idle_timeout_is_of_mock_time(seed: int | None) -> None:
    with TaskEnvironment(seed) as environment, ActorSystem() as system:
        lazy = system.spawn(Lazy, 10.0)
        environment.run_until_idle()
        for _ in range(5):
            environment.advance(6.0)
            lazy.work().result()
        assert lazy.is_alive
        environment.advance(25.0)
        assert not lazy.is_alive


@pytest.mark.parametrize("seed", SEEDS)
def test_only_failures_within_the_window_count(seed: int | None) -> None:
    log: list[str] = []
    with TaskEnvironment(seed) as environment, ActorSystem() as system:
        nanny = system.spawn(Nanny, supervisor=Supervisor(max_restarts=1, within=5.0))
        child = nanny.have(log).result()
        for _ in range(5):
            child.fail.tell()
            assert child.work().result() == 1
            environment.advance(6.0)
        assert len(log) == 6
        child.fail.tell()
        assert child.work().result() == 1
        child.fail.tell()
        environment.run_until_idle()
        assert not nanny.is_alive


@pytest.mark.parametrize("seed", SEEDS)
def test_the_back_off_doubles(seed: int | None) -> None:
    log: list[str] = []
    supervisor = Supervisor(max_restarts=10, within=1000.0, backoff=1.0)
    with TaskEnvironment(seed) as environment, ActorSystem(supervisor=supervisor) as system:
        failing = system.spawn(Failing, log)
        environment.run_until_idle()
        for number, delay in enumerate((1.0, 2.0, 4.0), 2):
            failing.fail.tell()
            environment.advance(delay - 0.1)
            assert len(log) == number - 1
            environment.advance(0.2)
            assert len(log) == number


def test_a_stop_that_takes_too_long_costs_no_time() -> None:
    with TaskEnvironment(0) as environment, ActorSystem() as system:
        log: list[Any] = []
        ticker = system.spawn(Sleeper, log)
        reply = ticker.sleep(3600.0)
        environment.run_until_idle()
        began = environment.now()
    assert isinstance(reply.exception(0), ActorDeadError)
    assert environment.now() - began < 60.0


class Sleeper(Ticker):
    def __init__(self, log: list[Any]) -> None:
        super().__init__(1e6, log)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def interleavings(seed: int) -> list[Any]:
    entries: list[Any] = []
    with TaskEnvironment(seed), ActorSystem() as system:
        appender = system.spawn(Appender, entries)
        senders = [system.spawn(Talker, appender, label) for label in "abc"]
        for sender in senders:
            sender.talk.tell(4)
    return entries


class Talker(Link):
    def __init__(self, appender: Any, label: str) -> None:
        super().__init__(label)
        self.appender = appender

    async def talk(self, count: int) -> None:
        for number in range(count):
            self.appender.append.tell((self.label, number))
            await asyncio.sleep(0)


def test_a_seed_is_one_order_and_seeds_differ() -> None:
    orders = [interleavings(seed) for seed in range(10)]
    assert orders == [interleavings(seed) for seed in range(10)]
    assert len({str(order) for order in orders}) > 3
    for order in orders:
        for label in "abc":
            assert [n for each, n in order if each == label] == list(range(4)), "senders' order"


def test_a_lost_update_between_two_actors_is_found() -> None:
    def deposit_twice(environment: TaskEnvironment) -> None:
        with ActorSystem() as system:
            account = system.spawn(Account)
            tellers = [system.spawn(Teller, account) for _ in range(2)]
            for reply in [teller.deposit(10) for teller in tellers]:
                reply.result()
            assert account.get().result() == 20

    with pytest.raises(AssertionError) as caught:
        explore(deposit_twice, range(100))
    assert any("seed" in note for note in caught.value.__notes__)


def test_interleaving_loses_an_update_and_the_default_does_not() -> None:
    def deposit(method: str) -> Any:
        def test(environment: TaskEnvironment) -> None:
            with ActorSystem() as system:
                account, bank = system.spawn(Account), system.spawn(Account)
                for reply in [account.ask(method, 10, bank) for _ in range(3)]:
                    reply.result()
                assert account.get().result() == 30

        return test

    explore(deposit("deposit"), range(50))
    with pytest.raises(AssertionError):
        explore(deposit("deposit_interleaved"), range(50))


def test_no_schedule_breaks_a_bounded_pipeline() -> None:
    def run(environment: TaskEnvironment) -> None:
        entries: list[Any] = []
        with ActorSystem() as system:
            appender = system.spawn(Appender, entries, mailbox=Mailbox(1))
            senders = [system.spawn(Awaiter, appender, label) for label in "abc"]
            for reply in [sender.send(5) for sender in senders]:
                reply.result()
        for label in "abc":
            assert [n for each, n in entries if each == label] == list(range(5))

    explore(run, range(60))


class Awaiter(Talker):
    async def send(self, count: int) -> None:
        for number in range(count):
            await self.appender.append((self.label, number))


def test_no_schedule_leaves_an_ask_open_when_actors_die() -> None:
    def run(environment: TaskEnvironment) -> None:
        with ActorSystem(supervisor=Supervisor(max_restarts=1000)) as system:
            log: list[str] = []
            failing = [system.spawn(Failing, log) for _ in range(3)]
            replies = []
            for number, each in enumerate(failing * 3):
                replies.append(each.work())
                (each.fail.tell, each.kill, each.stop)[number % 3]()
                replies.append(each.work())
            for reply in replies:
                assert reply.exception() is None or isinstance(reply.exception(), ActorDeadError)

    explore(run, range(60))
