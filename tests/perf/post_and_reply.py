"""Round trip between two threads: post, run, reply, against queue.SimpleQueue ping-pong.

One at a time, so each half is a wake-up. On one processor that shows what the software costs, on
two what it costs to wake a sleeping processor, or that somebody was still awake. Unpinned figures
are not taken: they show where the scheduler put the threads.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat

from harness import Contender, Measure, Scale, main, one_core, pin, two_cores
from verdict import Target

from mojo_seq import RunLoop, ThreadPool

Cores = Callable[[], tuple[int, int]]


def nothing() -> None:
    pass


def microseconds(scale: Scale, run: Callable[[int], object]) -> float:
    return scale.per_operation(run, 1.0) * 1e6


def post_task_and_reply(cores: Cores, scale: Scale) -> float:
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


def post_task_both_ways(cores: Cores, scale: Scale) -> float:
    """Two sequences that post to each other."""
    here, there = cores()
    pin(here)
    with ThreadPool(1) as pool:
        far = pool.create_sequenced_task_runner()
        far.submit(pin, there).result()

        def run(n: int) -> None:
            loop = RunLoop()
            near = loop.task_runner
            left = n

            def ping() -> None:
                near.post_task(pong)

            def pong() -> None:
                nonlocal left
                if left:
                    left -= 1
                    far.post_task(ping)
                else:
                    loop.quit()

            near.post_task(pong)
            loop.run()

        return microseconds(scale, run)


def post_task_and_queue(cores: Cores, scale: Scale) -> float:
    """A thread that is no sequence posts, and blocks on a queue for the answer."""
    here, there = cores()
    pin(here)
    with ThreadPool(1) as pool:
        runner = pool.create_sequenced_task_runner()
        runner.submit(pin, there).result()
        back: queue.SimpleQueue[None] = queue.SimpleQueue()

        def run(n: int) -> None:
            post, put, get = runner.post_task, back.put, back.get
            for _ in repeat(None, n):
                post(put, None)
                get()

        return microseconds(scale, run)


def submit_and_result(cores: Cores, scale: Scale) -> float:
    here, there = cores()
    pin(here)
    with ThreadPool(1) as pool:
        runner = pool.create_sequenced_task_runner()
        runner.submit(pin, there).result()

        def run(n: int) -> None:
            submit = runner.submit
            for _ in repeat(None, n):
                submit(nothing).result()

        return microseconds(scale, run)


def executor(cores: Cores, scale: Scale) -> float:
    here, there = cores()
    pin(here)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pin, there).result()

        def run(n: int) -> None:
            submit = pool.submit
            for _ in repeat(None, n):
                submit(nothing).result()

        return microseconds(scale, run)


def simple_queue(cores: Cores, scale: Scale) -> float:
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


def measure(where: str, cores: Cores) -> Measure:
    return Measure(
        f"post, run, reply between two threads, {where}",
        "us a round trip",
        (
            Contender("mojo_seq post_task_and_reply", partial(post_task_and_reply, cores)),
            Contender("mojo_seq post_task both ways", partial(post_task_both_ways, cores)),
            Contender("mojo_seq post_task, SimpleQueue back", partial(post_task_and_queue, cores)),
            Contender("mojo_seq submit().result()", partial(submit_and_result, cores)),
            Contender("queue.SimpleQueue both ways", partial(simple_queue, cores)),
            Contender("ThreadPoolExecutor(1).submit().result()", partial(executor, cores)),
        ),
        (
            Target.within("mojo_seq post_task_and_reply", "queue.SimpleQueue both ways", 1.1),
            Target.within("mojo_seq post_task both ways", "queue.SimpleQueue both ways", 1.1),
        ),
    )


MEASURES = (measure("one processor", one_core), measure("two processors", two_cores))

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
