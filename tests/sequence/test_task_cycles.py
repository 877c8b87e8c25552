"""Tasks and runners in reference cycles are collected (public contract §8)."""

import asyncio
import gc
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

import pytest

from mojo_seq import AsyncioTaskRunner, RunLoop, SequencedTaskRunner, TaskError, ThreadPool

TIMEOUT = 30.0


class Node:
    """A user's object that refers to whatever makes the cycle."""

    def __init__(self) -> None:
        self.refers_to: list[object] = []

    def run(self, *args: object) -> None:
        """A task."""


def is_collected(make: Callable[[], Node]) -> bool:
    """Whether what make() returns goes when only cycles hold it."""
    gc.collect()
    alive = weakref.ref(make())
    gc.collect()
    return alive() is None


def test_tasks_of_a_loop_that_only_they_refer_to() -> None:
    # loop -> queue -> bound method -> node -> loop
    def make() -> Node:
        node, loop = Node(), RunLoop()
        node.refers_to = [loop, loop.task_runner]
        loop.task_runner.post_task(node.run)
        loop.task_runner.submit(node.run, node)
        loop.task_runner.post_delayed_task(3600, node.run)
        return node

    assert is_collected(make)


def test_a_handler_of_a_sequence_that_the_collector_did_not_look_at() -> None:
    # sequence -> handler -> node -> sequence
    with ThreadPool(1) as pool:

        def make() -> Node:
            node, runner = Node(), pool.new_sequence()
            assert not gc.is_tracked(runner)  # it refers to its pool and nothing else
            runner.exception_handler = None
            runner.exception_handler = node.run
            node.refers_to = [runner]
            runner.submit(int).result(TIMEOUT)
            return node

        assert is_collected(make)


def test_a_delayed_task_that_knows_its_handle() -> None:
    # task handle -> task -> node -> task handle
    def make() -> Node:
        node, loop = Node(), RunLoop()
        node.refers_to.append(loop.task_runner.post_delayed_task(3600, node.run, node))
        return node

    assert is_collected(make)


def test_a_future_that_its_task_refers_to() -> None:
    # future -> done callback -> node -> future
    def make() -> Node:
        node, loop = Node(), RunLoop()
        future: Future[None] = loop.task_runner.submit(node.run)
        future.add_done_callback(node.run)
        node.refers_to = [future, loop]
        return node

    assert is_collected(make)


def test_an_exception_handler_that_refers_to_its_runner(pool: ThreadPool) -> None:
    # runner -> handler -> node -> runner, on a live pool
    def make() -> Node:
        node, runner = Node(), pool.create_sequenced_task_runner()
        runner.submit(node.run).result(TIMEOUT)
        node.refers_to.append(runner)
        runner.exception_handler = node.run
        return node

    assert is_collected(make)


def test_a_handler_that_saw_its_own_error(pool: ThreadPool) -> None:
    # node -> error -> traceback -> frames, and error -> runner -> handler -> node
    def make() -> Node:
        node, runner = Node(), pool.create_sequenced_task_runner()

        def handler(error: TaskError) -> None:
            node.refers_to.append(error)

        runner.exception_handler = handler
        runner.post_task(lambda: 1 // 0)
        runner.submit(lambda: None).result(TIMEOUT)
        assert len(node.refers_to) == 1
        return node

    assert is_collected(make)


def test_a_pool_that_was_shut_down_and_refers_to_itself() -> None:
    # pool and runners in one cycle with the tasks that were skipped
    def make() -> Node:
        node, pool = Node(), ThreadPool(max_workers=1)
        runner = pool.create_sequenced_task_runner()
        node.refers_to = [pool, runner, pool.create_single_thread_task_runner()]
        for _ in range(10):
            runner.post_task(node.run, node)
        runner.post_delayed_task(3600, node.run, node)
        pool.shutdown()
        return node

    assert is_collected(make)


def test_an_idle_sequence_of_a_live_pool(pool: ThreadPool) -> None:
    # Public contract §8: idle sequences cost memory only, and not for ever.
    runner = pool.create_sequenced_task_runner()
    runner.submit(lambda: None).result(TIMEOUT)
    alive = weakref.ref(runner)
    del runner
    # The worker may still be putting the sequence away; its next task comes after that.
    pool.create_sequenced_task_runner().submit(lambda: None).result(TIMEOUT)
    pool.submit(gc.collect).result(TIMEOUT)
    assert alive() is None


def test_a_dropped_runner_still_runs_its_tasks(pool: ThreadPool) -> None:
    # Public contract §8: what was accepted is run; the pool keeps a sequence that has work.
    ran: Future[bool] = Future()
    pool.create_sequenced_task_runner().post_task(ran.set_result, True)
    gc.collect()
    assert ran.result(TIMEOUT) is True


def test_a_dropped_runner_still_runs_its_delayed_tasks(pool: ThreadPool) -> None:
    # Public contract §8: a deadline keeps its sequence as well.
    ran: Future[SequencedTaskRunner] = Future()
    pool.create_sequenced_task_runner().post_delayed_task(
        0.01, lambda: ran.set_result(SequencedTaskRunner.current())
    )
    gc.collect()
    assert isinstance(ran.result(TIMEOUT), SequencedTaskRunner)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_a_dropped_pool_ends_its_threads(action: Literal["ignore", "error"]) -> None:
    # Public contract §8: nothing outside refers to the pool, and its idle workers do not keep it;
    # the warning that it was not shut down, even as an error, comes after all is done.
    with warnings.catch_warnings():
        warnings.simplefilter(action, ResourceWarning)
        pool = ThreadPool(max_workers=1)
        worker = pool.submit(threading.current_thread).result(TIMEOUT)
        single = pool.create_single_thread_task_runner()
        own = single.submit(threading.current_thread).result(TIMEOUT)
        del pool, single
        gc.collect()
        for thread in (worker, own):
            thread.join(TIMEOUT)
            assert not thread.is_alive()


def test_an_event_loops_runner_in_a_cycle() -> None:
    # runner -> handler -> node -> runner, while the event loop lives on
    loop = asyncio.new_event_loop()

    def make() -> Node:
        node, runner = Node(), AsyncioTaskRunner(loop)
        node.refers_to.append(runner)
        runner.exception_handler = node.run
        return node

    assert is_collected(make)
    loop.close()
