"""Finalizers that use the sequence whose task just let go of them (public contract §8).

The reference to a task, its arguments or its result is given up at moments of the library's
choosing. Whatever runs then must find no lock held.
"""

import gc
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from mojo_seq import RunLoop, SequencedTaskRunner, ShutdownError, ThreadPool

Hold = Callable[[SequencedTaskRunner], threading.Event]
TIMEOUT = 30.0


class AtEnd:
    """Calls a function when it dies."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def __del__(self) -> None:
        self.function()

    def run(self) -> None:
        """A task."""


def test_an_argument_may_post_when_it_dies(runner: SequencedTaskRunner) -> None:
    # The argument dies with the task that has run.
    posted: Future[int] = Future()
    runner.post_task(id, AtEnd(lambda: runner.post_task(posted.set_result, 1)))
    assert posted.result(TIMEOUT) == 1
    runner.submit(lambda: None).result(TIMEOUT)


def test_a_cancelled_delayed_task_may_post_when_it_dies(runner: SequencedTaskRunner) -> None:
    # The argument dies inside cancel(), or when the sequence passes by.
    posted: Future[int] = Future()
    end = AtEnd(lambda: runner.post_task(posted.set_result, 1))
    handle = runner.post_delayed_task(3600, id, end)
    del end
    assert handle.cancel()
    assert posted.result(TIMEOUT) == 1
    runner.submit(lambda: None).result(TIMEOUT)


def test_a_delayed_task_may_cancel_another_when_it_dies(runner: SequencedTaskRunner) -> None:
    # Inside cancel(), another cancel() on the same timers.
    cancelled: Future[bool] = Future()
    other = runner.post_delayed_task(3600, print)
    end = AtEnd(lambda: cancelled.set_result(other.cancel()))
    handle = runner.post_delayed_task(3600, id, end)
    del end
    assert handle.cancel()
    assert cancelled.result(TIMEOUT) is True
    runner.submit(lambda: None).result(TIMEOUT)


def test_a_cancelled_future_may_post_when_it_dies(runner: SequencedTaskRunner, hold: Hold) -> None:
    # The argument dies without its task ever having run.
    posted: Future[int] = Future()
    gate = hold(runner)
    future = runner.submit(id, AtEnd(lambda: runner.post_task(posted.set_result, 1)))
    assert future.cancel()
    del future
    gate.set()
    assert posted.result(TIMEOUT) == 1
    runner.submit(lambda: None).result(TIMEOUT)


def test_skipped_tasks_may_post_when_they_die() -> None:
    # Inside shutdown(): refused, and nothing hangs.
    refused: list[bool] = []

    def post_late() -> None:
        try:
            runner.post_task(print)
        except ShutdownError:
            refused.append(True)

    pool = ThreadPool(max_workers=1)
    runner = pool.create_sequenced_task_runner()
    for _ in range(10):
        runner.post_delayed_task(3600, id, AtEnd(post_late))
    pool.shutdown()
    gc.collect()
    assert refused == [True] * 10


def test_skipped_tasks_may_shut_the_pool_down_when_they_die() -> None:
    # Inside shutdown(), shutdown(): it is under way already.
    done: list[bool] = []
    pool = ThreadPool(max_workers=1)
    runner = pool.create_sequenced_task_runner()

    def shut_down_again() -> None:
        try:
            pool.shutdown(timeout=0)
        except (TimeoutError, RuntimeError):
            done.append(False)  # still under way, or on its own worker
        else:
            done.append(True)

    runner.post_delayed_task(3600, id, AtEnd(shut_down_again))
    pool.shutdown()
    gc.collect()
    assert len(done) == 1


def test_the_last_reference_to_a_runner_may_go_in_its_own_task() -> None:
    # The sequence is running while its runner dies.
    with ThreadPool(max_workers=1) as pool:
        runners = [pool.create_sequenced_task_runner()]
        ran: Future[int] = Future()
        both_posted = threading.Event()

        def task() -> None:
            assert both_posted.wait(TIMEOUT)
            runners.clear()
            gc.collect()

        runners[0].post_task(task)
        runners[0].post_task(ran.set_result, 1)
        both_posted.set()
        assert ran.result(TIMEOUT) == 1


def test_the_last_reference_to_a_loop_may_go_in_its_own_task() -> None:
    # run() is on the stack of the thread whose task drops the loop.
    loops = [RunLoop()]
    ran: list[int] = []

    def task() -> None:
        loops.clear()
        gc.collect()
        ran.append(1)

    loops[0].task_runner.post_task(task)
    loops[0].run_until_idle()
    assert ran == [1]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_last_reference_to_a_pool_may_go_in_its_own_task() -> None:
    # Its worker cannot wait for itself; the thread ends when the task has.
    worker: Future[threading.Thread] = Future()
    gate = threading.Event()

    def task(pools: list[ThreadPool]) -> None:
        assert gate.wait(TIMEOUT)
        worker.set_result(threading.current_thread())
        pools.clear()
        gc.collect()

    pools = [ThreadPool(max_workers=1)]
    runner = pools[0].create_sequenced_task_runner()
    runner.post_task(task, pools)
    del runner
    gate.set()
    thread = worker.result(TIMEOUT)
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    del pools
