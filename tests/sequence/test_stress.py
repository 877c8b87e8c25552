"""Posting from many threads while the pool ends: each accepted task ends once (public contract §8).

Every accepted task is run or skipped exactly once, and every future comes to an end.
"""

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from mojo_seq import (
    DeadlineExceededError,
    RunLoop,
    SequencedTaskRunner,
    ShutdownBehavior,
    ShutdownError,
    TaskHandle,
    TaskTraits,
    ThreadPool,
)

TIMEOUT = 50.0
POSTERS = 6
STEPS = 1500


class Books:
    """Who was accepted, who ran, and whether a sequence ever ran two at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.accepted: set[int] = set()
        self.undelayed: set[int] = set()
        self.ran: list[int] = []
        self.cancelled: set[int] = set()
        self.futures: dict[int, Future[None]] = {}
        self.continuing: set[int] = set()  # a shutdown does not wait for those that have begun
        self.faults: list[str] = []
        self.next = iter(range(10**9))

    def number(self) -> int:
        with self.lock:
            return next(self.next)


class Sequence:
    """One runner and the check that its tasks exclude each other and keep their order."""

    def __init__(self, runner: SequencedTaskRunner, behavior: ShutdownBehavior) -> None:
        self.runner = runner
        self.behavior = behavior
        self.running = threading.Lock()
        self.must_run: set[int] = set()
        self.last_of_poster: dict[int, int] = {}

    def task(self, books: Books, poster: int, number: int, ordered: bool) -> None:
        if not self.running.acquire(blocking=False):
            books.faults.append("two tasks of one sequence at once")
            return
        if ordered:
            if self.last_of_poster.get(poster, -1) > number:
                books.faults.append("order of one poster not kept")
            self.last_of_poster[poster] = number
        books.ran.append(number)
        self.running.release()


def post_randomly(
    dice: random.Random, poster: int, sequences: list[Sequence], books: Books
) -> None:
    """Posts, submits, delays, cancels, until done or refused."""
    delayed: list[tuple[int, TaskHandle]] = []
    for _ in range(STEPS):
        sequence = dice.choice(sequences)
        number = books.number()
        kind = dice.random()
        try:
            if kind < 0.4:
                sequence.runner.post_task(sequence.task, books, poster, number, True)
            elif kind < 0.7:
                future = sequence.runner.submit(sequence.task, books, poster, number, True)
                books.futures[number] = future
                if dice.random() < 0.2 and future.cancel():
                    books.cancelled.add(number)
            else:
                delay = dice.choice([0, 0, 0.001, 0.01, 3600])
                handle = sequence.runner.post_delayed_task(
                    delay, sequence.task, books, poster, number, False
                )
                delayed.append((number, handle))
        except ShutdownError:
            return
        books.accepted.add(number)
        if sequence.behavior is ShutdownBehavior.CONTINUE_ON_SHUTDOWN:
            books.continuing.add(number)
        if kind < 0.7:
            books.undelayed.add(number)
            if sequence.behavior is ShutdownBehavior.BLOCK_SHUTDOWN:
                sequence.must_run.add(number)
        if delayed and dice.random() < 0.1:
            number, handle = delayed.pop(dice.randrange(len(delayed)))
            if handle.cancel():
                books.cancelled.add(number)


@pytest.mark.parametrize("seed", range(8))
def test_every_accepted_task_ends_exactly_once(seed: int) -> None:
    # Public contract §8: posting from many threads, with delayed tasks, shutdown racing.
    dice = random.Random(seed)
    books = Books()
    pool = ThreadPool(max_workers=3, name=f"stress {seed}")
    sequences = []
    for _ in range(20):
        behavior = dice.choice(list(ShutdownBehavior))
        traits = TaskTraits(shutdown=behavior)
        sequences.append(Sequence(pool.create_sequenced_task_runner(traits=traits), behavior))
    for _ in range(2):
        runner = pool.create_single_thread_task_runner()
        sequences.append(Sequence(runner, ShutdownBehavior.SKIP_ON_SHUTDOWN))
    shutdown_at = dice.randrange(POSTERS * STEPS)
    with ThreadPoolExecutor(POSTERS + 1) as executor:
        posters = [
            executor.submit(
                post_randomly, random.Random(seed * 100 + poster), poster, sequences, books
            )
            for poster in range(POSTERS)
        ]
        while len(books.accepted) < shutdown_at and not all(poster.done() for poster in posters):
            wait(posters, timeout=0.001)
        executor.submit(pool.shutdown).result(TIMEOUT)
        for poster in posters:
            poster.result(TIMEOUT)
    for number, future in books.futures.items():
        assert future.done() or number in books.continuing, "a future did not end"
    for thread in threading.enumerate():
        if thread.name.startswith(f"stress {seed}-"):  # it is in the midst of a continuing task
            thread.join(TIMEOUT)
    ran = set(books.ran)
    assert books.faults == []
    assert len(ran) == len(books.ran), "a task ran twice"
    assert ran <= books.accepted, "a refused task ran"
    assert not ran & books.cancelled, "a cancelled task ran"
    for sequence in sequences:
        assert sequence.must_run - books.cancelled <= ran, "a task that blocks shutdown was skipped"
    for number, future in books.futures.items():
        assert future.done(), "a future did not end"
        assert future.cancelled() == (number not in ran)
    # A future may be cancelled just when its task is begun or skipped: then it counts there.
    statistics = pool.statistics()
    raced = len(books.cancelled)
    assert 0 <= statistics.tasks_run - len(ran) <= raced
    skipped = len(books.accepted - ran - books.cancelled)
    assert 0 <= statistics.tasks_skipped - skipped <= raced


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_without_shutdown(seed: int) -> None:
    # Public contract §8: everything accepted and not cancelled is run.
    books = Books()
    with ThreadPool(max_workers=3) as pool:
        sequences = [
            Sequence(pool.create_sequenced_task_runner(), ShutdownBehavior.SKIP_ON_SHUTDOWN)
            for _ in range(10)
        ]
        with ThreadPoolExecutor(POSTERS) as executor:
            posters = [
                executor.submit(
                    post_randomly, random.Random(seed * 100 + poster), poster, sequences, books
                )
                for poster in range(POSTERS)
            ]
            for poster in posters:
                poster.result(TIMEOUT)
        for sequence in sequences:
            sequence.runner.submit(lambda: None).result(TIMEOUT)
        assert wait(books.futures.values(), TIMEOUT).not_done == set()
    assert books.faults == []
    assert books.undelayed - books.cancelled <= set(books.ran)


@pytest.mark.parametrize("seed", range(3))
def test_run_loops_and_pools_pass_a_token_round(seed: int) -> None:
    # Public contract §8: a task that hops over random sequences of all kinds never gets lost.
    dice = random.Random(seed)
    loop = RunLoop()
    hops = 3000
    visits: list[int] = []
    with ThreadPool(max_workers=3) as pool:
        runners = [loop.task_runner, pool.create_single_thread_task_runner()]
        runners += [pool.create_sequenced_task_runner() for _ in range(6)]

        def hop(left: int) -> None:
            visits.append(left)
            if not left:
                loop.quit()
            elif left % 10:
                dice.choice(runners).post_task(hop, left - 1)
            else:
                dice.choice(runners).post_delayed_task(0.0001, hop, left - 1)

        loop.task_runner.post_task(hop, hops)
        loop.run()
    assert visits == list(range(hops, -1, -1))


def test_pools_come_and_go() -> None:
    # Public contract §8: two hundred lives of a pool, each ended at a different moment.
    dice = random.Random(7)
    for _ in range(200):
        pool = ThreadPool(max_workers=2)
        runner = pool.create_sequenced_task_runner()
        futures = [runner.submit(pow, 2, 2) for _ in range(dice.randrange(20))]
        runner.post_delayed_task(0.001, pow, 2, 2)
        try:
            pool.shutdown(timeout=0)
        except DeadlineExceededError:
            pool.shutdown()
        assert all(future.done() for future in futures)
