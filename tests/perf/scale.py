"""Scale: what one operation costs with 1 to 100,000 pipes, sequences, watches and actors about.

"One of them" uses the same one again and again, so that only what the library does can grow. "All
in turn" touches each, so that the caches have their part; "plain objects in turn" shows how large
that is: as many pairs of Python objects, one byte written in each.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from queue import SimpleQueue

from harness import Measure, main
from many_links import mojo_ends, take_mojo_ends
from verdict import Target

from mojo_seq import (
    Actor,
    ActorSystem,
    MessagePipe,
    MessagePipeHandle,
    ThreadPool,
    WaitSet,
    Watcher,
    create_message_pipe,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, receive
from mojo_seq.cli.bench.scale import Scale, timed

COUNTS = (1, 100, 10_000, 100_000)
REMOTE = (1, 100, 1_000, 10_000)  # of 20,000 descriptors that a process may have
PAYLOAD = b"x" * 64

Pipes = list[MessagePipe]
Sample = Callable[[int, Scale], float]


@contextmanager
def some_pipes(n: int) -> Iterator[Pipes]:
    pipes = [create_message_pipe() for _ in range(n)]
    gc.collect()
    yield pipes
    for near, far in pipes:
        near.close()
        far.close()


def microseconds(scale: Scale, operation: Callable[[], object]) -> float:
    def run(n: int) -> None:
        for _ in repeat(None, n):
            operation()

    return scale.per_operation(run) * 1e6


def each_in_turn(scale: Scale, n: int, run_all: Callable[[], object]) -> float:
    """Of operations of which `run_all` does one with each of n."""
    run_all()
    rounds = max(1, scale.n(20_000) // n)
    return (
        min(timed(lambda k: [run_all() for _ in range(k)], rounds) for _ in range(3))
        * 1e6
        / (rounds * n)
    )


def making_and_closing(n: int, scale: Scale) -> float:
    def one_more() -> None:
        for end in create_message_pipe():
            end.close()

    with some_pipes(n):
        return microseconds(scale, one_more)


def message_in_one(n: int, scale: Scale) -> float:
    with some_pipes(n) as pipes:
        near, far = pipes[n // 2]
        return microseconds(scale, lambda: (near.write(PAYLOAD), far.read()))  # type: ignore[func-returns-value]


def message_in_all(n: int, scale: Scale) -> float:
    def exchange() -> None:
        for near, far in pipes:
            near.write(PAYLOAD)
            far.read()

    with some_pipes(n) as pipes:
        return each_in_turn(scale, n, exchange)


def plain_objects(n: int, scale: Scale) -> float:
    pairs = [(bytearray(256), bytearray(256)) for _ in range(n)]

    def touch() -> None:
        for one, other in pairs:
            one[0] = other[0] = 1

    return each_in_turn(scale, n, touch)


def notification(n: int, scale: Scale) -> float:
    with some_pipes(n) as pipes, Watcher(lambda *_: None) as watcher:
        for number, (_, far) in enumerate(pipes):
            watcher.watch(far, READABLE, number)
        near, far = pipes[n // 2]

        def fire() -> None:
            watcher.arm()
            near.write(PAYLOAD)
            far.read()

        return microseconds(scale, fire)


def all_ready(n: int, scale: Scale) -> float:
    """All are written to, and read as a WaitSet reports them."""
    with some_pipes(n) as pipes:
        waiting = WaitSet()
        for _, far in pipes:
            waiting.add_handle(far, READABLE)

        def read_all() -> None:
            for near, _ in pipes:
                near.write(PAYLOAD)
            left = n
            while left:
                for ready in waiting.wait().ready:
                    if isinstance(ready.handle, MessagePipeHandle):
                        ready.handle.read()
                        left -= 1

        return each_in_turn(scale, n, read_all)


def nothing() -> None:
    pass


def task_on_all(n: int, scale: Scale) -> float:
    done: SimpleQueue[None] = SimpleQueue()
    with ThreadPool(1) as pool:
        runners = [pool.create_sequenced_task_runner() for _ in range(n)]
        last = pool.create_sequenced_task_runner()

        def post_all() -> None:
            for runner in runners:
                runner.post_task(nothing)
            last.post_task(done.put, None)
            done.get()

        return each_in_turn(scale, n, post_all)


def delayed_task(n: int, scale: Scale) -> float:
    with ThreadPool(1) as pool:
        runner = pool.create_sequenced_task_runner()
        pending = [runner.post_delayed_task(1000 + i % 7, nothing) for i in range(n)]
        figure = microseconds(scale, lambda: runner.post_delayed_task(1001, nothing).cancel())
        for each in pending:
            each.cancel()
    return figure


class Member(Actor):
    """One of very many."""

    def hear(self) -> None:
        """Answers."""


def ask_all(n: int, scale: Scale) -> float:
    with ActorSystem(1) as system:
        refs = [system.spawn(Member) for _ in range(n)]

        def ask_each() -> None:
            for ref in refs:
                ref.hear().result()

        return each_in_turn(scale, n, ask_each)


def echo(pipe: MessagePipeHandle, n: int) -> None:
    """Answers on the pipe whose number comes."""
    ends = take_mojo_ends(pipe, n)
    while True:
        end = ends[int(bytes(receive(pipe)))]
        end.write(PAYLOAD)


def remote_wait_set(n: int, scale: Scale) -> float:
    """From an order to the other process to its answer in one of n pipes, each in turn."""
    with mojo_child(echo, n) as pipe:
        ends = mojo_ends(pipe, n)
        waiting = WaitSet()
        for end in ends:
            waiting.add_handle(end, READABLE)
        turn = 0

        def ask() -> None:
            nonlocal turn
            turn = (turn + 7919) % n
            pipe.write(b"%d" % turn)
            waiting.wait(1)
            ends[turn].read()

        figure = microseconds(scale, ask)
        for end in ends:
            end.close()
    return figure


def measure(title: str, sample: Sample, most: float, counts: tuple[int, ...] = COUNTS) -> Measure:
    """Its targets: at most so many times what it costs with few."""
    return Measure(
        f"scale: {title}",
        "us",
        tuple(Contender(f"{n:,}", partial(at_scale, sample, n)) for n in counts),
        tuple(Target.within(f"{n:,}", f"{counts[1]:,}", most) for n in counts[2:]),
    )


def at_scale(sample: Sample, n: int, scale: Scale) -> float:
    return sample(scale.n(n), scale)


MEASURES = (
    measure("making and closing one more pipe", making_and_closing, 2),
    measure("write and read in one of n pipes", message_in_one, 2),
    measure("write and read in n pipes in turn", message_in_all, 4),
    measure("plain objects in turn", plain_objects, 8),
    measure("notification of a watcher of n pipes", notification, 2),
    measure("n pipes ready in a WaitSet, read as reported", all_ready, 4),
    measure("a task on each of n sequences", task_on_all, 4),
    measure("a delayed task with n pending, cancelled", delayed_task, 2),
    measure("ask to each of n actors in turn", ask_all, 3),
    measure("order and answer in n pipes from another process", remote_wait_set, 3, REMOTE),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
