"""Seeds choose schedules, and schedules can be repeated. Public contract §13."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mojo_seq import ThreadPool
from mojo_seq.testing import TaskEnvironment


def run(environment: TaskEnvironment) -> tuple[list[str], list[int]]:
    """A program with many schedules: what it did, and the schedule."""
    log: list[str] = []
    with environment:
        pool = ThreadPool()
        helper = pool.create_sequenced_task_runner()

        def work(name: str, steps: int) -> None:
            for step in range(steps):
                log.append(f"{name}{step}")
                helper.submit(log.append, f"h{name}{step}").result()

        works = [pool.create_sequenced_task_runner().submit(work, name, 3) for name in "abc"]
        pool.create_sequenced_task_runner().post_delayed_task(1, work, "d", 1)
        pool.post_task(log.append, "p")
        for each in works:
            each.result()
        environment.advance(1)
        return log, environment.schedule


def test_the_same_seed_gives_the_same_schedule() -> None:
    for seed in range(10):
        assert run(TaskEnvironment(seed)) == run(TaskEnvironment(seed))


def test_different_seeds_give_different_schedules() -> None:
    logs = {tuple(run(TaskEnvironment(seed))[0]) for seed in range(50)}
    assert len(logs) > 40


def test_without_a_seed_it_is_first_come_first_served() -> None:
    log, schedule = run(TaskEnvironment())
    assert (log, schedule) == run(TaskEnvironment())
    assert set(schedule) == {0}
    assert log[:3] == ["a0", "ha0", "a1"]  # a task that asks another sequence gets its answer
    assert [each for each in log if each in ("a0", "b0", "c0")] == ["a0", "b0", "c0"]


def test_a_schedule_repeats_what_a_seed_did() -> None:
    for seed in range(10):
        done = run(TaskEnvironment(seed))
        assert run(TaskEnvironment(schedule=done[1])) == done


def test_the_end_of_a_schedule_is_first_come_first_served() -> None:
    log, schedule = run(TaskEnvironment(4))
    half, repeated = run(TaskEnvironment(schedule=schedule[: len(schedule) // 2]))
    assert half[:3] == log[:3]
    assert repeated[: len(schedule) // 2] == schedule[: len(schedule) // 2]
    assert set(repeated[len(schedule) // 2 :]) == {0}


def test_a_schedule_of_another_program_is_refused() -> None:
    with pytest.raises(RuntimeError, match="of another program"):
        run(TaskEnvironment(schedule=[0, 99]))


def test_one_sequence_leaves_no_choice() -> None:
    with TaskEnvironment(1) as env:
        runner = ThreadPool().create_sequenced_task_runner()
        for _ in range(10):
            runner.post_task(int)
        env.run_until_idle()
        assert env.schedule == []
        assert env.seed == 1


def test_who_waits_need_not_be_the_first_to_go_on() -> None:
    """What it waited for has come; others that could run may do so before it does."""

    def more_ran(seed: int) -> bool:
        with TaskEnvironment(seed):
            pool = ThreadPool()
            ran: list[int] = []
            future = pool.submit(pool.post_task, ran.append, 1)
            future.result()
            return ran == [1]

    assert {more_ran(seed) for seed in range(20)} == {False, True}


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from test_schedules import run
from mojo_seq.testing import TaskEnvironment
print(run(TaskEnvironment(3)))
"""


def test_another_process_does_the_same() -> None:
    command = [sys.executable, "-c", PROGRAM, __file__.rpartition("/")[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == str(run(TaskEnvironment(3)))
