"""Random programs in a TaskEnvironment: what holds for sequences holds in every order."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from mojo_seq import (
    OneShotTimer,
    RepeatingTimer,
    SequencedTaskRunner,
    TaskHandle,
    ThreadPool,
    create_message_pipe,
)
from mojo_seq.testing import NestingError, TaskEnvironment

SEQUENCES = 5
MOST_TASKS = 300


class Program:
    """Tasks that post tasks, at once and later, and now and then wait for one."""

    def __init__(self, env: TaskEnvironment, seed: int) -> None:
        self.env = env
        self.random = random.Random(seed)
        self.pool = ThreadPool()
        self.runners: list[SequencedTaskRunner] = [
            self.pool.create_single_thread_task_runner()
            if number == 0
            else self.pool.create_sequenced_task_runner()
            for number in range(SEQUENCES)
        ]
        self.leaf = self.pool.create_sequenced_task_runner()
        self.posted = 0
        self.next_of = [0] * SEQUENCES  # what the next task of a sequence is to be
        self.last_of = [0] * SEQUENCES
        self.inside = [False] * SEQUENCES
        self.handles: list[TaskHandle] = []
        self.log: list[tuple[str, int, int]] = []

    def post(self) -> None:
        if self.posted == MOST_TASKS:
            return
        self.posted += 1
        number = self.random.randrange(SEQUENCES)
        if self.random.random() < 0.3:
            due = self.env.now() + self.random.choice([0.5, 1, 2])
            self.handles.append(
                self.runners[number].post_delayed_task(due - self.env.now(), self.late, number, due)
            )
        else:
            self.runners[number].post_task(self.run, number, self.last_of[number])
            self.last_of[number] += 1

    def late(self, number: int, due: float) -> None:
        assert self.env.now() >= due
        self.enter(number, -1)

    def run(self, number: int, order: int) -> None:
        assert order == self.next_of[number]
        self.next_of[number] += 1
        self.enter(number, order)

    def enter(self, number: int, order: int) -> None:
        assert not self.inside[number]
        self.inside[number] = True
        self.log.append(("begin", number, order))
        assert self.runners[number].runs_tasks_in_current_sequence()
        for _ in range(self.random.choice([0, 1, 1, 2])):
            self.post()
        if self.random.random() < 0.2:
            assert self.leaf.submit(int).result() == 0
            assert self.runners[number].runs_tasks_in_current_sequence()
        if self.handles and self.random.random() < 0.1:
            self.handles.pop().cancel()
        self.log.append(("end", number, order))
        self.inside[number] = False


def run(environment: TaskEnvironment, seed: int) -> tuple[list[tuple[str, int, int]], list[int]]:
    with environment:
        program = Program(environment, seed)
        for _ in range(10):
            program.post()
        environment.advance(1000)
        assert program.next_of == program.last_of
        assert not any(program.inside)
        kinds = Counter(kind for kind, _, _ in program.log)
        assert kinds["begin"] == kinds["end"]
        assert program.pool.statistics()[2:5] == (0, 0, 0)
        return program.log, environment.schedule


@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed: int) -> None:
    done = run(TaskEnvironment(seed), seed)
    assert run(TaskEnvironment(seed), seed) == done
    assert run(TaskEnvironment(schedule=done[1]), seed) == done
    run(TaskEnvironment(), seed)


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_that_are_left_in_the_middle(seed: int) -> None:
    with pytest.raises(KeyError, match="left"), TaskEnvironment(seed) as env:
        program = Program(env, seed)
        for _ in range(10):
            program.post()
        with pytest.raises(KeyError, match="left"):
            program.runners[0].post_task(env.advance, 1)
            program.pool.submit(raise_left).result()
        raise_left()


def raise_left() -> None:
    raise KeyError("left")


@pytest.mark.parametrize("seed", range(10))
def test_messages_keep_their_order(seed: int) -> None:
    with TaskEnvironment(seed) as env:
        pool = ThreadPool()
        here, there = create_message_pipe()
        writer, reader = (pool.create_sequenced_task_runner() for _ in range(2))
        got: list[int] = []

        def read() -> None:
            got.extend(bytes(message)[0] for message in there.read_batch())

        for number in range(100):
            writer.post_task(here.write, bytes([number]))
            reader.post_task(read)
        env.run_until_idle()
        reader.submit(read).result()
        assert got == list(range(100))
        here.close()
        there.close()


def test_timers_are_of_mock_time(env: TaskEnvironment) -> None:
    runner = ThreadPool().create_sequenced_task_runner()
    times: list[tuple[str, float]] = []
    once = OneShotTimer(task_runner=runner)
    again = RepeatingTimer(task_runner=runner)
    runner.post_task(once.start, 2.5, lambda: times.append(("once", env.now())))
    runner.post_task(again.start, 1, lambda: times.append(("again", env.now())))
    env.advance(3)
    runner.post_task(again.stop)
    env.advance(3)
    assert times == [("again", 1.0), ("again", 2.0), ("once", 2.5), ("again", 3.0)]


def test_many_sequences_take_no_long_time(env: TaskEnvironment) -> None:
    pool = ThreadPool()
    ran: list[int] = []
    for number in range(20_000):
        pool.create_sequenced_task_runner().post_task(ran.append, number)
    env.run_until_idle()
    assert sorted(ran) == list(range(20_000))


def test_deep_nesting_is_an_error_of_the_program_not_a_crash(env: TaskEnvironment) -> None:
    pool = ThreadPool()

    def deeper(left: int) -> int:
        return pool.submit(deeper, left - 1).result() + 1 if left else 0

    assert pool.submit(deeper, 20).result() == 20
    with pytest.raises((RecursionError, NestingError)):
        pool.submit(deeper, 100_000).result()
