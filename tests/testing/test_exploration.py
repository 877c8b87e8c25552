"""explore finds bugs of order, and says with which seed. Public contract §13.

Each bug is planted: it shows in some schedules only, and its corrected twin in none.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mojo_seq import (
    InvalidArgumentError,
    SequencedTaskRunner,
    Signals,
    SimpleWatcher,
    ThreadPool,
    WaitableEvent,
    create_message_pipe,
)
from mojo_seq.testing import DeadlockError, NestingError, TaskEnvironment, explore


class Account:
    """Its balance is in a store that is asked for it."""

    def __init__(self, pool: ThreadPool) -> None:
        self.balance = 0
        self.store = pool.create_sequenced_task_runner(name="store")

    def read(self) -> int:
        return self.store.submit(lambda: self.balance).result()

    def write(self, balance: int) -> None:
        self.store.submit(setattr, self, "balance", balance).result()

    def add(self, amount: int) -> None:
        self.balance += amount


def lost_update(env: TaskEnvironment) -> None:
    """Reads, then writes: others may have written in between."""
    pool = ThreadPool()
    account = Account(pool)

    def deposit() -> None:
        account.write(account.read() + 10)

    deposits = [pool.create_sequenced_task_runner().submit(deposit) for _ in range(2)]
    for each in deposits:
        each.result()
    assert account.balance == 20


def no_lost_update(env: TaskEnvironment) -> None:
    """The account's own sequence adds."""
    pool = ThreadPool()
    account = Account(pool)

    def deposit() -> None:
        account.store.submit(account.add, 10).result()

    deposits = [pool.create_sequenced_task_runner().submit(deposit) for _ in range(2)]
    for each in deposits:
        each.result()
    assert account.balance == 20


def lost_wake_up(env: TaskEnvironment) -> None:
    """Looks whether somebody has to be woken before it says what there is to see."""
    pool = ThreadPool()
    queue: list[int] = []
    sleeping: list[WaitableEvent] = []
    io = pool.create_sequenced_task_runner()

    def consume() -> int:
        while not queue:
            event = WaitableEvent()
            io.submit(int).result()  # prepares to sleep
            sleeping.append(event)
            event.wait()
        return queue.pop()

    def produce() -> None:
        queue.append(1)
        for event in sleeping:
            event.signal()

    consumer = pool.create_sequenced_task_runner().submit(consume)
    pool.create_sequenced_task_runner().post_task(produce)
    assert consumer.result() == 1


def no_lost_wake_up(env: TaskEnvironment) -> None:
    """An event remembers that it was signaled."""
    pool = ThreadPool()
    queue: list[int] = []
    filled = WaitableEvent()
    io = pool.create_sequenced_task_runner()

    def consume() -> int:
        io.submit(int).result()
        filled.wait()
        return queue.pop()

    def produce() -> None:
        queue.append(1)
        filled.signal()

    consumer = pool.create_sequenced_task_runner().submit(consume)
    pool.create_sequenced_task_runner().post_task(produce)
    assert consumer.result() == 1


def order_assumption(env: TaskEnvironment) -> None:
    """What is sent first arrives first, it thinks, also if they go different ways."""
    pool = ThreadPool()
    log: list[str] = []
    logger, relay, other = (pool.create_sequenced_task_runner() for _ in range(3))
    relay.post_task(logger.post_task, log.append, "request")
    other.post_task(logger.post_task, log.append, "response")
    env.run_until_idle()
    assert log == ["request", "response"]


def no_order_assumption(env: TaskEnvironment) -> None:
    """Both go the same way."""
    pool = ThreadPool()
    log: list[str] = []
    logger, relay = (pool.create_sequenced_task_runner() for _ in range(2))
    relay.post_task(logger.post_task, log.append, "request")
    relay.post_task(logger.post_task, log.append, "response")
    env.run_until_idle()
    assert log == ["request", "response"]


def two_locks(env: TaskEnvironment) -> None:
    """Each sequence asks the other one, in a task that waits for the answer."""
    pool = ThreadPool()
    first, second, starter = (pool.create_sequenced_task_runner() for _ in range(3))

    def ask(other: SequencedTaskRunner) -> int:
        return other.submit(int).result()

    starting = starter.submit(lambda: second.submit(ask, first))
    assert first.submit(ask, second).result() == 0
    assert starting.result().result() == 0


def closed_too_early(env: TaskEnvironment) -> None:
    """Closes the pipe when it has written, whether the other side has read or not."""
    pool = ThreadPool()
    reader, writer = (pool.create_sequenced_task_runner() for _ in range(2))
    here, there = create_message_pipe()
    got: list[bytes] = []
    with here, there:

        def serve() -> None:
            watcher = SimpleWatcher()

            def on_readable(*_: object) -> None:
                got.append(bytes(there.read()))
                watcher.close()

            watcher.watch(there, Signals.READABLE, on_readable)

        reader.post_task(serve)
        writer.post_task(here.write, b"request")
        writer.submit(there.close).result()
        env.run_until_idle()
        assert got == [b"request"]


@pytest.mark.parametrize(
    ("buggy", "error"),
    [
        (lost_update, AssertionError),
        (lost_wake_up, DeadlockError),
        (order_assumption, AssertionError),
        (two_locks, DeadlockError),
        (closed_too_early, Exception),
    ],
)
def test_planted_bugs_are_found(
    buggy: Callable[[TaskEnvironment], None], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        explore(buggy)
    (note,) = (each for each in caught.value.__notes__ if each.startswith("seed "))
    seed = int(note.split()[1])
    if seed:
        explore(buggy, range(seed))  # it was the first
    with pytest.raises(error), TaskEnvironment(seed) as env:  # and shows again
        buggy(env)


@pytest.mark.parametrize("buggy", [lost_update, lost_wake_up, order_assumption, two_locks])
def test_planted_bugs_do_not_always_show(buggy: Callable[[TaskEnvironment], None]) -> None:
    found = 0
    for seed in range(100):
        try:
            explore(buggy, [seed])
        except (AssertionError, DeadlockError):
            found += 1
        except NestingError:
            continue
    assert 0 < found < 100


@pytest.mark.parametrize("correct", [no_lost_update, no_lost_wake_up, no_order_assumption])
def test_corrected_programs_pass(correct: Callable[[TaskEnvironment], None]) -> None:
    explore(correct)


def test_each_seed_gets_a_fresh_environment() -> None:
    environments: list[TaskEnvironment] = []

    def test(env: TaskEnvironment) -> None:
        assert env.now() == 0.0
        environments.append(env)
        env.advance(1)

    explore(test, seeds=[5, 7, 5])
    assert [each.seed for each in environments] == [5, 7, 5]
    assert len(set(map(id, environments))) == 3
    environments.clear()
    explore(test)
    assert [each.seed for each in environments] == list(range(100))


def test_a_failing_task_fails_the_exploration(caplog: pytest.LogCaptureFixture) -> None:
    def test(env: TaskEnvironment) -> None:
        ThreadPool().post_task(int, "x")
        env.run_until_idle()

    with pytest.raises(ValueError, match="invalid literal") as caught:
        explore(test, [8])
    assert any(note.startswith("seed 8 fails") for note in caught.value.__notes__)


def test_it_goes_no_further_than_the_first_failure() -> None:
    seeds: list[int | None] = []

    def test(env: TaskEnvironment) -> None:
        seeds.append(env.seed)
        assert env.seed != 3

    with pytest.raises(AssertionError):
        explore(test)
    assert seeds == [0, 1, 2, 3]


def test_wrong_arguments() -> None:
    async def coroutine(env: TaskEnvironment) -> None:
        raise NotImplementedError

    with pytest.raises(TypeError, match="plain function"):
        explore(coroutine)
    with pytest.raises(TypeError, match="callable"):
        explore(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        explore(lambda env: None, [-1])
