"""Actors in a TaskEnvironment. Public contract §13.

Among them the planted bugs: each shows in some schedules only, and its corrected twin in none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    Actor,
    ActorDeadError,
    ActorRef,
    ActorSystem,
    Down,
    Supervisor,
    interleaved,
)
from mojo_seq.testing import DeadlockError, TaskEnvironment, explore

YEAR = 365 * 24 * 3600.0


class Account(Actor):
    def __init__(self, balance: int = 0) -> None:
        self.balance = balance

    def read(self) -> int:
        return self.balance

    def write(self, balance: int) -> None:
        self.balance = balance

    def add(self, amount: int) -> int:
        self.balance += amount
        return self.balance


class Teller(Actor):
    def __init__(self, account: ActorRef[Account]) -> None:
        self.account = account

    async def deposit_in_two_steps(self, amount: int) -> None:
        balance = await self.account.read()
        await self.account.write(balance + amount)

    def deposit_in_two_blocking_steps(self, amount: int) -> None:
        balance = self.account.read().result()
        self.account.write(balance + amount).result()

    async def deposit(self, amount: int) -> None:
        await self.account.add(amount)


def deposits(env: TaskEnvironment, method: str) -> None:
    with ActorSystem() as system:
        account = system.spawn(Account)
        tellers = [system.spawn(Teller, account) for _ in range(2)]
        for done in [teller.ask(method, 10) for teller in tellers]:
            done.result()
        assert account.read().result() == 20


def lost_update(env: TaskEnvironment) -> None:
    deposits(env, "deposit_in_two_steps")


def lost_update_in_blocking_calls(env: TaskEnvironment) -> None:
    deposits(env, "deposit_in_two_blocking_steps")


def no_lost_update(env: TaskEnvironment) -> None:
    deposits(env, "deposit")


class Cache(Actor):
    """Asks the store once for what many ask it for; but an await lets others in."""

    def __init__(self, store: ActorRef[Account]) -> None:
        self.store = store
        self.known: int | None = None
        self.asked = 0

    @interleaved
    async def get(self) -> int:
        if self.known is None:
            self.asked += 1
            self.known = await self.store.read()
        return self.known

    async def get_in_turn(self) -> int:
        if self.known is None:
            self.asked += 1
            self.known = await self.store.read()
        return self.known

    def times_asked(self) -> int:
        return self.asked


def cached(method: str) -> None:
    with ActorSystem() as system:
        cache = system.spawn(Cache, system.spawn(Account, 7))
        for got in [cache.ask(method) for _ in range(3)]:
            assert got.result() == 7
        assert cache.times_asked().result() == 1


def check_then_act(env: TaskEnvironment) -> None:
    cached("get")


def no_check_then_act(env: TaskEnvironment) -> None:
    cached("get_in_turn")


class Waiting(Actor):
    """Wakes those who have said that they wait. Who says so too late waits for ever."""

    def __init__(self) -> None:
        self.waiting: list[ActorRef[Any]] = []
        self.is_open = False

    def enter(self, ref: ActorRef[Any]) -> None:
        self.waiting.append(ref)

    def enter_if_closed(self, ref: ActorRef[Any]) -> None:
        if self.is_open:
            ref.wake.tell()
        else:
            self.waiting.append(ref)

    def open(self) -> None:
        self.is_open = True
        for ref in self.waiting:
            ref.wake.tell()


class Guest(Actor):
    def __init__(self) -> None:
        self.woken = asyncio.Event()

    @interleaved
    async def visit(self, room: ActorRef[Waiting], method: str) -> str:
        room.tell(method, self.ref)
        await self.woken.wait()
        return "in"

    def wake(self) -> None:
        self.woken.set()


def visit(method: str) -> None:
    with ActorSystem() as system:
        room = system.spawn(Waiting)
        visiting = system.spawn(Guest).visit(room, method)
        room.open.tell()
        assert visiting.result() == "in"


def lost_wake_up(env: TaskEnvironment) -> None:
    visit("enter")


def no_lost_wake_up(env: TaskEnvironment) -> None:
    visit("enter_if_closed")


class Log(Actor):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)

    def read(self) -> list[str]:
        return self.lines


class Relay(Actor):
    def __init__(self, log: ActorRef[Log]) -> None:
        self.log = log

    def forward(self, line: str) -> None:
        self.log.write.tell(line)


def logged(relays: int) -> list[str]:
    with ActorSystem() as system:
        log = system.spawn(Log)
        made = [system.spawn(Relay, log) for _ in range(relays)]
        for number, line in enumerate(["request", "response"]):
            made[number % relays].forward.tell(line)
        for relay in made:
            relay.forward("end").result()
        return [line for line in log.read().result() if line != "end"]


def order_assumption(env: TaskEnvironment) -> None:
    """What goes different ways arrives in the order of sending, it thinks."""
    assert logged(2) == ["request", "response"]


def no_order_assumption(env: TaskEnvironment) -> None:
    assert logged(1) == ["request", "response"]


BUGS: list[tuple[Callable[[TaskEnvironment], None], type[Exception]]] = [
    (lost_update, AssertionError),
    (lost_update_in_blocking_calls, AssertionError),
    (check_then_act, AssertionError),
    (lost_wake_up, DeadlockError),
    (order_assumption, AssertionError),
]


@pytest.mark.parametrize(("buggy", "error"), BUGS)
def test_planted_bugs_are_found_within_100_seeds(
    buggy: Callable[[TaskEnvironment], None], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        explore(buggy)
    (note,) = (each for each in caught.value.__notes__ if each.startswith("seed "))
    with pytest.raises(error), TaskEnvironment(int(note.split()[1])) as env:
        buggy(env)


@pytest.mark.parametrize(
    "correct", [no_lost_update, no_check_then_act, no_lost_wake_up, no_order_assumption]
)
def test_corrected_programs_pass(correct: Callable[[TaskEnvironment], None]) -> None:
    explore(correct)


def test_a_schedule_of_actors_can_be_repeated() -> None:
    with TaskEnvironment(11) as env:
        deposits(env, "deposit")
        schedule = env.schedule
    with TaskEnvironment(schedule=schedule) as env:
        deposits(env, "deposit")
        assert env.schedule == schedule


class Sleeper(Actor):
    def __init__(self) -> None:
        self.ticks = 0

    async def sleep(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    async def sleep_at_most(self, seconds: float, limit: float) -> None:
        async with asyncio.timeout(limit):
            await asyncio.sleep(seconds)

    def tick(self) -> None:
        self.ticks += 1
        self.call_later(1, self.tick)

    def count(self) -> int:
        return self.ticks


def test_actors_sleep_on_mock_time(env: TaskEnvironment) -> None:
    with ActorSystem() as system:
        sleeper = system.spawn(Sleeper)
        assert sleeper.sleep(YEAR).result() == "slept"
        assert env.now() == YEAR
        with pytest.raises(TimeoutError):
            sleeper.sleep_at_most(YEAR, 5).result()
        assert env.now() == YEAR + 5
        with pytest.raises(TimeoutError):
            sleeper.sleep(10).result(timeout=4)
        assert env.now() == YEAR + 9


def test_timers_of_actors_are_of_mock_time(env: TaskEnvironment) -> None:
    with ActorSystem() as system:
        sleeper = system.spawn(Sleeper)
        sleeper.tick.tell()
        env.advance(10)
        assert sleeper.count().result() == 11
        assert env.now() == 10.0


class Worker(Actor):
    def fail(self) -> None:
        raise ValueError("on purpose")

    def work(self) -> str:
        return "done"


class Boss(Actor):
    supervisor = Supervisor(max_restarts=2, within=60, backoff=10)

    def __init__(self, watched: bool = False) -> None:
        self.worker = self.spawn(Worker)
        self.downs: list[str] = []
        self.monitor(self.worker, self.on_down)

    def on_down(self, down: Down) -> None:
        self.downs.append(down.reason.kind)

    def hire(self) -> ActorRef[Worker]:
        return self.worker

    def heard(self) -> list[str]:
        return self.downs


def test_supervisors_count_on_mock_time(env: TaskEnvironment) -> None:
    with ActorSystem() as system:
        worker = system.spawn(Boss).hire().result()
        for _ in range(6):
            worker.fail.tell()
            assert worker.work().result() == "done"  # after the back-off
            env.advance(60)
        assert env.now() >= 6 * 60


def test_monitors_hear_of_the_end(env: TaskEnvironment) -> None:
    with ActorSystem() as system:
        boss = system.spawn(Boss)
        worker = boss.hire().result()
        worker.stop()
        env.run_until_idle()
        assert boss.heard().result() == ["stopped"]
        with pytest.raises(ActorDeadError):
            worker.work().result()


def test_a_system_that_is_left_open_ends_with_the_block() -> None:
    stopped: list[str] = []

    class Stopping(Actor):
        def on_stop(self, reason: Any) -> None:
            stopped.append(reason.kind)

    with TaskEnvironment(2):
        system = ActorSystem()
        system.spawn(Stopping)
    assert stopped == ["system"]
