"""Posting: one poster, one sequence, 100,000 tasks that do nothing, until the last has run.

`submit` is shown beside `post_task` because that is what ThreadPoolExecutor offers: a Future each.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from statistics import median

from harness import Measure, main
from verdict import Target

from mojo_seq import ThreadPool
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import BLOCKS, Scale, timed

Post = Callable[[Callable[[], object]], object]


def nothing() -> None:
    pass


def nanoseconds(scale: Scale, post: Post) -> float:
    """Time per task, from the first post until the last task has run."""
    done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def finish() -> None:
        done.put(None)

    def run(n: int) -> None:
        for _ in repeat(None, n - 1):
            post(nothing)
        post(finish)
        done.get()

    n = scale.n(100_000)
    run(max(1, n // 10))
    return median(timed(run, n) for _ in range(BLOCKS)) / n * 1e9


def post_task(scale: Scale) -> float:
    with ThreadPool(1) as pool:
        return nanoseconds(scale, pool.create_sequenced_task_runner().post_task)


def post_task_four_workers(scale: Scale) -> float:
    with ThreadPool(4) as pool:
        return nanoseconds(scale, pool.create_sequenced_task_runner().post_task)


def submit(scale: Scale) -> float:
    with ThreadPool(1) as pool:
        return nanoseconds(scale, pool.create_sequenced_task_runner().submit)


def executor(scale: Scale) -> float:
    with ThreadPoolExecutor(1) as pool:
        return nanoseconds(scale, pool.submit)


def on_loop(scale: Scale, loop: asyncio.AbstractEventLoop) -> float:
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        return nanoseconds(scale, loop.call_soon_threadsafe)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def asyncio_loop(scale: Scale) -> float:
    return on_loop(scale, asyncio.new_event_loop())


def uvloop_loop(scale: Scale) -> float:
    import uvloop

    return on_loop(scale, uvloop.new_event_loop())


def thread_by_hand(scale: Scale) -> float:
    """The least that Python can do: no sequence, no errors, no priorities, no shutdown."""
    tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def loop() -> None:
        while (task := tasks.get()) is not None:
            task()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        return nanoseconds(scale, tasks.put)
    finally:
        tasks.put(None)
        thread.join()


MEASURES = (
    Measure(
        "post_task: one poster, one sequence, 100,000 tasks",
        "ns a task",
        (
            Contender("mojo_seq post_task", post_task),
            Contender("mojo_seq post_task, 4 workers", post_task_four_workers),
            Contender("mojo_seq submit", submit),
            Contender("ThreadPoolExecutor(1).submit", executor),
            Contender("uvloop call_soon_threadsafe", uvloop_loop, requires="uvloop"),
            Contender("asyncio call_soon_threadsafe", asyncio_loop),
            Contender("queue.SimpleQueue and a thread", thread_by_hand),
        ),
        (
            Target.better("mojo_seq post_task", "ThreadPoolExecutor(1).submit", 10),
            Target.better("mojo_seq post_task", "uvloop call_soon_threadsafe", 1),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
