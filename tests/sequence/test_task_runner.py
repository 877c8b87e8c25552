"""What every SequencedTaskRunner promises (public contract §8)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mojo_seq import SequencedTaskRunner, ThreadPool

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0


def drain(runner: SequencedTaskRunner) -> None:
    """Waits until everything posted before has run."""
    runner.submit(lambda: None).result(TIMEOUT)


def test_it_is_an_abstract_class() -> None:
    # Public contract §8: SequencedTaskRunner (ABC).
    with pytest.raises(TypeError):
        SequencedTaskRunner()  # type: ignore[abstract]


def test_every_kind_is_a_sequenced_task_runner(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    assert isinstance(runner, SequencedTaskRunner)


def test_tasks_run_in_posting_order(runner: SequencedTaskRunner) -> None:
    # Public contract §8: in posting order.
    order: list[int] = []
    for number in range(1000):
        runner.post_task(order.append, number)
    drain(runner)
    assert order == list(range(1000))


def test_post_task_passes_the_arguments(runner: SequencedTaskRunner) -> None:
    # Public contract §8: post_task(fn, *args).
    seen: list[tuple[object, ...]] = []
    runner.post_task(lambda *args: seen.append(args), 1, "two", None)
    drain(runner)
    assert seen == [(1, "two", None)]


def test_post_task_returns_before_the_task_ran(runner: SequencedTaskRunner, hold: Hold) -> None:
    # Public contract §8: posting never waits for the sequence.
    ran: list[int] = []
    gate = hold(runner)
    runner.post_task(ran.append, 1)
    assert ran == []
    gate.set()
    drain(runner)
    assert ran == [1]


def test_a_sequence_never_runs_two_tasks_at_once(runner: SequencedTaskRunner) -> None:
    # Public contract §8: one at a time, whoever posts.
    running = threading.Lock()
    overlaps: list[int] = []

    def task() -> None:
        if not running.acquire(blocking=False):
            overlaps.append(1)
            return
        for _ in range(50):
            pass
        running.release()

    def post() -> None:
        for _ in range(500):
            runner.post_task(task)

    with ThreadPoolExecutor(4) as executor:
        for posting in [executor.submit(post) for _ in range(4)]:
            posting.result(TIMEOUT)
    drain(runner)
    assert overlaps == []


def test_the_order_of_each_posting_thread_is_kept(runner: SequencedTaskRunner) -> None:
    # Public contract §8: posting order is total; each thread sees its own in it.
    order: list[tuple[int, int]] = []

    def post(thread: int) -> None:
        for number in range(500):
            runner.post_task(order.append, (thread, number))

    with ThreadPoolExecutor(4) as executor:
        for posting in [executor.submit(post, thread) for thread in range(4)]:
            posting.result(TIMEOUT)
    drain(runner)
    assert len(order) == 2000
    for thread in range(4):
        assert [number for poster, number in order if poster == thread] == list(range(500))


def test_a_task_posted_by_a_task_runs_after_it(runner: SequencedTaskRunner) -> None:
    # Public contract §8: never concurrently with itself, so never inside it.
    order: list[str] = []

    def outer() -> None:
        runner.post_task(order.append, "inner")
        order.append("outer")

    runner.submit(outer).result(TIMEOUT)
    drain(runner)
    assert order == ["outer", "inner"]


def test_a_task_posted_by_a_task_queues_behind_the_others(
    runner: SequencedTaskRunner, hold: Hold
) -> None:
    # Public contract §8: posting order, not nesting.
    order: list[str] = []
    gate = hold(runner)
    runner.post_task(runner.post_task, order.append, "posted by the first")
    runner.post_task(order.append, "second")
    gate.set()
    drain(runner)
    drain(runner)
    assert order == ["second", "posted by the first"]


def test_what_one_task_wrote_the_next_one_reads(runner: SequencedTaskRunner) -> None:
    # Public contract §8: a plain counter needs no lock on a sequence.
    count = 0

    def increment() -> None:
        nonlocal count
        before = count
        for _ in range(20):
            pass
        count = before + 1

    for _ in range(2000):
        runner.post_task(increment)
    drain(runner)
    assert count == 2000


def test_current_is_the_runner_of_the_running_task(runner: SequencedTaskRunner) -> None:
    # Public contract §8: current().
    assert runner.submit(SequencedTaskRunner.current).result(TIMEOUT) == runner


def test_current_outside_a_sequence_is_an_error(runner: SequencedTaskRunner) -> None:
    # Public contract §8: RuntimeError outside a sequence, also while one exists.
    drain(runner)
    with pytest.raises(RuntimeError):
        SequencedTaskRunner.current()


def test_runs_tasks_in_current_sequence_is_true_inside(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    assert runner.submit(runner.runs_tasks_in_current_sequence).result(TIMEOUT) is True


def test_runs_tasks_in_current_sequence_is_false_outside(runner: SequencedTaskRunner) -> None:
    # Public contract §8.
    assert runner.runs_tasks_in_current_sequence() is False


def test_runs_tasks_in_current_sequence_is_false_in_another(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8.
    asked = other_runner.submit(runner.runs_tasks_in_current_sequence)
    assert asked.result(TIMEOUT) is False
    assert runner != other_runner


def test_only_callables_can_be_posted(runner: SequencedTaskRunner) -> None:
    # Public contract §1: wrong Python types raise at the call.
    with pytest.raises(TypeError):
        runner.post_task("not callable")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        runner.post_delayed_task(0.0, "not callable")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        runner.submit("not callable")  # type: ignore[arg-type]


def test_runners_are_hashable_by_identity(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # A Python user expects to keep runners in sets and dictionaries.
    assert len({runner, other_runner, runner}) == 2


def test_two_sequences_of_one_pool_run_at_the_same_time(pool: ThreadPool) -> None:
    # Public contract §8: sequences are independent of each other.
    both = threading.Barrier(2)
    runners = [pool.create_sequenced_task_runner() for _ in range(2)]
    meetings = [runner.submit(both.wait, TIMEOUT) for runner in runners]
    assert sorted(meeting.result(TIMEOUT) for meeting in meetings) == [0, 1]


def test_a_chain_of_ten_thousand_tasks_does_not_grow_the_stack(
    runner: SequencedTaskRunner,
) -> None:
    # Public contract §8: a task that posts its successor is an ordinary loop.
    done = threading.Event()

    def link(left: int) -> None:
        if left:
            runner.post_task(link, left - 1)
        else:
            done.set()

    runner.post_task(link, 10_000)
    assert done.wait(TIMEOUT)
