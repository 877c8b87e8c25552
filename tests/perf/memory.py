"""Memory of what is idle: message pipe pairs and sequences, 100,000 of each open at once.

Growth of the resident set of a fresh process, Python's wrapper objects included. "Used" ones have
passed a message each way, or have run a task, and are idle again: what that leaves behind counts
too. Kernel memory (the peers' descriptors) is not in the figures.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import queue
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from harness import Measure, main
from verdict import Target

from mojo_seq import MessagePipe, SequencedTaskRunner, ThreadPool, create_message_pipe
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.scale import Scale

COUNT = 100_000
FEW = 400  # of peers that have a thread each
PAYLOAD = b"x" * 64


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def bytes_each(count: int, make: Callable[[int], object]) -> float:
    """Growth per object of `count` calls of `make(index)`, which keeps what it makes alive."""
    gc.collect()
    before = resident()
    for index in range(count):
        make(index)
    gc.collect()
    return (resident() - before) / count


def exchange(pipe: MessagePipe) -> None:
    """One message each way, of which nothing is kept."""
    for writer, reader in (pipe, pipe[::-1]):
        writer.write(PAYLOAD)
        reader.read()


def message_pipes(used: bool, scale: Scale) -> float:
    count = scale.n(COUNT)
    # Full-sized beforehand, so that the list is not part of the growth.
    pipes: list[MessagePipe | None] = [None] * count

    def make(index: int) -> None:
        pipe = pipes[index] = create_message_pipe()
        if used:
            exchange(pipe)

    near, far = create_message_pipe()  # what is allocated once and for all
    exchange(MessagePipe(near, far))
    near.close()
    far.close()
    growth = bytes_each(count, make)
    for pipe in pipes:
        if pipe is None:
            raise AssertionError("not all of them are open at once")
        exchange(pipe)
        pipe.handle0.close()
        pipe.handle1.close()
    return growth


def sequences(used: bool, scale: Scale) -> float:
    count = scale.n(COUNT)
    runners: list[SequencedTaskRunner | None] = [None] * count
    ran = 0

    def task() -> None:
        nonlocal ran
        ran += 1  # one worker, so nobody else does

    done: queue.SimpleQueue[None] = queue.SimpleQueue()
    with ThreadPool(1) as pool:

        def flush(runner: SequencedTaskRunner) -> None:
            runner.post_task(done.put, None)
            done.get()

        def make(index: int) -> None:
            runner = runners[index] = pool.create_sequenced_task_runner()
            if used:
                runner.post_task(task)
                if index % 100 == 0 or index == count - 1:
                    flush(runner)

        flush(pool.create_sequenced_task_runner())
        growth = bytes_each(count, make)
        for runner in runners:
            if runner is None:
                raise AssertionError("not all of them are open at once")
            runner.post_task(task)
        flush(pool.create_sequenced_task_runner())
    if ran != count * (2 if used else 1):
        raise AssertionError(f"{ran} tasks ran on {count} sequences")
    return growth


def queues(make_queue: Callable[[], object], scale: Scale) -> float:
    """Two queues, one for each direction."""
    count = scale.n(COUNT)
    pairs: list[object] = [None] * count

    def make(index: int) -> None:
        pairs[index] = (make_queue(), make_queue())

    make(0)
    return bytes_each(count, make)


def multiprocessing_pipes(scale: Scale) -> float:
    """As many as there are descriptors for: a few hundred would fit into memory that the process
    has already, and seem to cost less than they do."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(scale.n(COUNT), (most - 64) // 2) if most > 0 else scale.n(COUNT)
    pairs: list[object] = [None] * count

    def make(index: int) -> None:
        pairs[index] = multiprocessing.Pipe()

    make(0)
    return bytes_each(count, make)


def executors(scale: Scale) -> float:
    """A ThreadPoolExecutor(1) each, which is a thread each once it was used."""
    count = scale.n(FEW)
    pools: list[ThreadPoolExecutor] = []

    def make(_index: int) -> None:
        pool = ThreadPoolExecutor(1)
        pool.submit(int).result()
        pools.append(pool)

    growth = bytes_each(count, make)
    for pool in pools:
        pool.shutdown()
    return growth


MEASURES = (
    Measure(
        "memory of an idle message pipe pair, 100,000 open at once",
        "bytes",
        (
            Contender("mojo_seq, new", partial(message_pipes, False)),
            Contender("mojo_seq, used", partial(message_pipes, True)),
            Contender("two asyncio.Queue", partial(queues, asyncio.Queue)),
            Contender("two queue.SimpleQueue", partial(queues, queue.SimpleQueue)),
            Contender("multiprocessing.Pipe, as many as may be", multiprocessing_pipes),
        ),
        (
            Target.at_most("mojo_seq, new", 1500, "bytes"),
            Target.at_most("mojo_seq, used", 1500, "bytes"),
        ),
    ),
    Measure(
        "memory of an idle sequence, 100,000 open at once",
        "bytes",
        (
            Contender("mojo_seq, new", partial(sequences, False)),
            Contender("mojo_seq, used", partial(sequences, True)),
            Contender("ThreadPoolExecutor(1), used (400)", executors),
        ),
        (
            Target.at_most("mojo_seq, new", 1000, "bytes"),
            Target.at_most("mojo_seq, used", 1000, "bytes"),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
