"""ThreadPool: many sequences on few threads (public contract §8)."""

import threading
from collections.abc import Callable

import pytest

from mojo_seq import (
    InvalidArgumentError,
    SequencedTaskRunner,
    ThreadPool,
)

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0
WORKERS = 4


def test_ten_thousand_sequences_on_four_threads(pool: ThreadPool) -> None:
    # Public contract §8: order and mutual exclusion of each, at most max_workers threads for all.
    sequences, tasks = 10_000, 5
    orders: list[list[int]] = [[] for _ in range(sequences)]
    running = [False] * sequences
    overlaps: list[int] = []
    threads: set[int] = set()
    left = threading.Semaphore(0)

    def task(sequence: int, number: int) -> None:
        if running[sequence]:
            overlaps.append(sequence)
        running[sequence] = True
        threads.add(threading.get_ident())
        orders[sequence].append(number)
        running[sequence] = False
        if number == tasks - 1:
            left.release()

    runners = [pool.create_sequenced_task_runner() for _ in range(sequences)]
    for number in range(tasks):
        for sequence, runner in enumerate(runners):
            runner.post_task(task, sequence, number)
    for _ in range(sequences):
        assert left.acquire(timeout=TIMEOUT)
    assert overlaps == []
    assert all(order == list(range(tasks)) for order in orders)
    assert 1 <= len(threads) <= WORKERS


def test_idle_sequences_start_no_threads() -> None:
    # Public contract §8: a sequence is a queue, not a thread.
    with ThreadPool(max_workers=2) as pool:
        runners = [pool.create_sequenced_task_runner() for _ in range(1000)]
        runners[500].submit(lambda: None).result(TIMEOUT)
        assert pool.statistics().workers <= 2


def test_one_busy_sequence_does_not_starve_the_others() -> None:
    # Public contract §8: with one worker, a sequence that always has work shares it.
    with ThreadPool(max_workers=1) as pool:
        busy, other = pool.create_sequenced_task_runner(), pool.create_sequenced_task_runner()
        stop = threading.Event()

        def again() -> None:
            if not stop.is_set():
                busy.post_task(again)

        busy.post_task(again)
        other.submit(lambda: None).result(TIMEOUT)
        stop.set()


def test_a_long_queue_does_not_starve_the_others() -> None:
    # Public contract §8: a worker serves its sequences in turn, however much one has to do.
    with ThreadPool(max_workers=1) as pool:
        long, short = pool.create_sequenced_task_runner(), pool.create_sequenced_task_runner()
        ran: list[int] = []
        gate = threading.Event()
        long.post_task(gate.wait)
        for _ in range(5_000):
            long.post_task(lambda: ran.append(sum(range(5_000))))
        seen = short.submit(lambda: len(ran))
        gate.set()
        assert seen.result(TIMEOUT) < 5_000
        long.submit(lambda: None).result(TIMEOUT)


def test_parallel_tasks_run_at_the_same_time(pool: ThreadPool) -> None:
    # Public contract §8: ThreadPool.post_task is not a sequence.
    everybody = threading.Barrier(WORKERS + 1)
    for _ in range(WORKERS):
        pool.post_task(everybody.wait, TIMEOUT)
    everybody.wait(TIMEOUT)


def test_post_task_passes_the_arguments(pool: ThreadPool) -> None:
    # Public contract §8.
    seen: list[tuple[object, ...]] = []
    done = threading.Event()

    def task(*args: object) -> None:
        seen.append(args)
        done.set()

    pool.post_task(task, 1, "two")
    assert done.wait(TIMEOUT)
    assert seen == [(1, "two")]


def test_submit_gives_a_future(pool: ThreadPool) -> None:
    # Public contract §8: as with a runner, keyword arguments included.
    assert pool.submit(pow, 2, 10).result(TIMEOUT) == 1024
    assert pool.submit(int, "ff", base=16).result(TIMEOUT) == 255
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(TIMEOUT)


def test_parallel_tasks_are_on_no_sequence(pool: ThreadPool) -> None:
    # Public contract §8: current() raises RuntimeError outside a sequence.
    with pytest.raises(RuntimeError):
        pool.submit(SequencedTaskRunner.current).result(TIMEOUT)


def test_never_more_threads_than_max_workers() -> None:
    # Public contract §8.
    with ThreadPool(max_workers=3) as pool:
        threads: set[int] = set()
        futures = [pool.submit(lambda: threads.add(threading.get_ident())) for _ in range(500)]
        for future in futures:
            future.result(TIMEOUT)
        assert 1 <= len(threads) <= 3
        assert threading.get_ident() not in threads


@pytest.mark.parametrize("max_workers", [0, -1, -(2**70)])
def test_max_workers_below_one_is_invalid(max_workers: int) -> None:
    # Public contract §1: integers outside their domain.
    with pytest.raises(InvalidArgumentError):
        ThreadPool(max_workers=max_workers)


def test_max_workers_must_be_an_int() -> None:
    # Public contract §1.
    with pytest.raises(TypeError):
        ThreadPool(max_workers="four")  # type: ignore[arg-type]


def test_the_default_number_of_workers_runs_tasks() -> None:
    # Public contract §8: max_workers=None.
    with ThreadPool() as pool:
        assert pool.submit(lambda: 7).result(TIMEOUT) == 7


def test_the_pool_is_its_own_context() -> None:
    # Public contract §8: context manager.
    pool = ThreadPool(max_workers=1)
    with pool as entered:
        assert entered is pool


def test_workers_are_named_after_the_pool() -> None:
    # Public contract §8: name="pool".
    with ThreadPool(max_workers=1, name="kitchen") as pool:
        name = pool.submit(lambda: threading.current_thread().name).result(TIMEOUT)
        assert "kitchen" in name


def test_runners_are_named() -> None:
    # Public contract §8: create_sequenced_task_runner(name=...); a name is for reading.
    with ThreadPool(max_workers=1) as pool:
        assert "cook" in repr(pool.create_sequenced_task_runner(name="cook"))
        assert "waiter" in repr(pool.create_single_thread_task_runner(name="waiter"))


def test_options_are_keyword_only(pool: ThreadPool) -> None:
    # Public contract: arguments after * are keyword-only.
    with pytest.raises(TypeError):
        ThreadPool(1, "name")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        pool.create_sequenced_task_runner("name")  # type: ignore[call-arg]


def test_statistics_are_a_frozen_snapshot(pool: ThreadPool) -> None:
    # Public contract §8: statistics().
    pool.submit(lambda: None).result(TIMEOUT)
    before = pool.statistics()
    with pytest.raises(AttributeError):
        before.workers = 99  # type: ignore[misc]
    pool.submit(lambda: None).result(TIMEOUT)
    pool.shutdown()
    assert (before.tasks_run, pool.statistics().tasks_run) == (1, 2)


def test_statistics_count_workers_and_ready_sequences(hold: Hold) -> None:
    # Public contract §8: workers, idle_workers, sequences_ready.
    with ThreadPool(max_workers=2) as pool:
        runners = [pool.create_sequenced_task_runner() for _ in range(5)]
        gates = [hold(runner) for runner in runners[:2]]
        for runner in runners[2:]:
            runner.post_task(lambda: None)
        busy = pool.statistics()
        assert (busy.workers, busy.idle_workers, busy.sequences_ready) == (2, 0, 3)
        for gate in gates:
            gate.set()
        for runner in runners:
            runner.submit(lambda: None).result(TIMEOUT)
        assert pool.statistics().sequences_ready == 0


def test_statistics_count_tasks() -> None:
    # Public contract §8: tasks_run, tasks_skipped; both are final after shutdown.
    with ThreadPool(max_workers=1) as pool:
        runner = pool.create_sequenced_task_runner()
        started, gate = threading.Event(), threading.Event()

        def first() -> None:
            started.set()
            gate.wait(TIMEOUT)

        runner.post_task(first)
        for _ in range(10):
            runner.post_task(lambda: None)
        assert started.wait(TIMEOUT)
        with pytest.raises(TimeoutError):
            pool.shutdown(timeout=0)
        gate.set()
        pool.shutdown()
        after = pool.statistics()
        assert (after.tasks_run, after.tasks_skipped) == (1, 10)


def test_two_pools_are_independent() -> None:
    # Public contract §8: no process-wide state; shutting one down leaves the other.
    with ThreadPool(max_workers=1) as first, ThreadPool(max_workers=1) as second:
        first.shutdown()
        assert second.submit(lambda: 1).result(TIMEOUT) == 1
