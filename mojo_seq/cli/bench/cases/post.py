"""A task to another thread and its result back, one at a time: each half is a wake-up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import repeat

from mojo_seq import RunLoop, ThreadPool
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.placing import TwoCores, apart, pin
from mojo_seq.cli.bench.scale import Scale


def nothing() -> None:
    pass


def microseconds(scale: Scale, run: Callable[[int], object]) -> float:
    return scale.per_operation(run, 1.0) * 1e6


def results_of(submit: Callable[..., Future[None]], n: int) -> None:
    """Waits for each of so many tasks before the next."""
    for _ in repeat(None, n):
        submit(nothing).result()


def submit_and_result(cores: TwoCores, scale: Scale) -> float:
    here, there = cores()
    pin(here)
    with ThreadPool(1) as pool:
        runner = pool.create_sequenced_task_runner()
        runner.submit(pin, there).result()

        return microseconds(scale, partial(results_of, runner.submit))


def post_task_and_reply(cores: TwoCores, scale: Scale) -> float:
    """The sequence of this thread asks a sequence of a pool, again and again."""
    here, there = cores()
    pin(here)
    with ThreadPool(1) as pool:
        runner = pool.create_sequenced_task_runner()
        runner.submit(pin, there).result()

        def run(n: int) -> None:
            loop = RunLoop()
            left = n

            def ask() -> None:
                runner.post_task_and_reply(nothing, reply)

            def reply(_result: object) -> None:
                nonlocal left
                left -= 1
                if left:
                    runner.post_task_and_reply(nothing, reply)
                else:
                    loop.quit()

            loop.task_runner.post_task(ask)
            loop.run()

        return microseconds(scale, run)


def executor(cores: TwoCores, scale: Scale) -> float:
    here, there = cores()
    pin(here)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pin, there).result()

        return microseconds(scale, partial(results_of, pool.submit))


def simple_queue(cores: TwoCores, scale: Scale) -> float:
    """A task there, its result back, over two queues."""
    here, there = cores()
    pin(here)
    tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[None] = queue.SimpleQueue()

    def serve() -> None:
        pin(there)
        while (task := tasks.get()) is not None:
            results.put(task())

    def run(n: int) -> None:
        put, get = tasks.put, results.get
        for _ in repeat(None, n):
            put(nothing)
            get()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return microseconds(scale, run)
    finally:
        tasks.put(None)
        thread.join()


CASE = Case(
    "task to another thread and back",
    "us",
    (
        Contender("mojo_seq, submit", partial(submit_and_result, apart)),
        Contender("mojo_seq, post and reply", partial(post_task_and_reply, apart)),
        Contender("ThreadPoolExecutor", partial(executor, apart), "concurrent.futures"),
        Contender("queue.SimpleQueue, two", partial(simple_queue, apart), "queue"),
    ),
)
