"""Round trip between two threads: post, run, reply, against queue.SimpleQueue ping-pong.

One at a time, so each half is a wake-up. On one processor that shows what the software costs, on
two what it costs to wake a sleeping processor, or that somebody was still awake. Unpinned figures
are not taken: they show where the scheduler put the threads.
"""

from __future__ import annotations

import queue
import sys
from functools import partial
from itertools import repeat

from harness import Measure, main
from verdict import Target

from mojo_seq import RunLoop, ThreadPool
from mojo_seq.cli.bench.cases.post import (
    executor,
    microseconds,
    post_task_and_reply,
    simple_queue,
    submit_and_result,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.placing import TwoCores, one_core, pin, two_cores
from mojo_seq.cli.bench.scale import Scale


def post_task_both_ways(cores: TwoCores, scale: Scale) -> float:
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


def post_task_and_queue(cores: TwoCores, scale: Scale) -> float:
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


def measure(where: str, cores: TwoCores) -> Measure:
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
