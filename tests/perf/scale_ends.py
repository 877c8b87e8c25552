"""Scale, the other costs: memory, what is under way, collecting garbage, forking, closing and the
interpreter's exit, for each of 1,000 to 100,000 things.

Where the process itself costs much more than one thing does, only what it costs more with them
is counted.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from harness import Measure, main
from many_links import mojo_ends, take_mojo_ends
from memory import bytes_each
from scale import PAYLOAD, Member, Sample, at_scale, some_pipes
from verdict import Target

from mojo_seq import (
    ActorRef,
    ActorSystem,
    Mailbox,
    MessagePipe,
    MessagePipeHandle,
    ProcessPool,
    create_message_pipe,
)
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import mojo_child, receive
from mojo_seq.cli.bench.scale import Scale, timed

COUNTS = (1_000, 10_000, 100_000)
REMOTE = (1_000, 10_000)
LEAST = 1e-3  # us: less is noise
ROUNDS = 5
ROOM = Mailbox(1 << 20)


def once(operation: Callable[[], object], n: int) -> float:
    """Microseconds of each of the n things that it is about."""
    gc.collect()
    return timed(lambda _: operation(), 1) / n * 1e6


def more(operation: Callable[[], object], n: int, without: float) -> float:
    """The same of what takes `without` seconds if there is nothing."""
    return max(LEAST, (least(operation) - without) / n * 1e6)


def least(operation: Callable[[], object]) -> float:
    return min(timed(lambda _: operation(), 1) for _ in range(ROUNDS))


def fork() -> None:
    """A child that ends at once."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def closing(n: int, _: Scale) -> float:
    pipes = [create_message_pipe() for _ in range(n)]

    def close() -> None:
        for near, far in pipes:
            near.close()
            far.close()

    return once(close, n)


def memory(n: int, _: Scale) -> float:
    pipes: list[MessagePipe | None] = [None] * n

    def make(index: int) -> None:
        pipes[index] = create_message_pipe()

    growth = bytes_each(n, make)
    for pipe in pipes:
        for end in pipe or ():
            end.close()
    return growth


def in_flight(n: int, _: Scale) -> float:
    """Written one by one, and then read."""
    near, far = create_message_pipe()

    def exchange() -> None:
        for _ in range(n):
            near.write(PAYLOAD)
        for _ in range(n):
            far.read()

    exchange()
    figure = once(exchange, n)
    near.close()
    far.close()
    return figure


def with_pipes(operation: Callable[[], object], n: int, _: Scale) -> float:
    without = least(operation)
    with some_pipes(n):
        return more(operation, n, without)


def collecting_actors(n: int, _: Scale) -> float:
    with ActorSystem(1) as system:
        without = least(gc.collect)
        refs = [system.spawn(Member) for _ in range(n)]
        refs[-1].hear().result()
        gc.collect()
        return more(gc.collect, n, without)


def ending_actors(n: int, _: Scale) -> float:
    system = ActorSystem(1)
    refs = [system.spawn(Member) for _ in range(n)]
    refs[-1].hear().result()
    return once(system.shutdown, n)


def ask_many(ref: ActorRef[Member], n: int) -> None:
    for reply in [ref.hear() for _ in range(n)]:
        reply.result()


def asks_in_flight(n: int, _: Scale) -> float:
    with ActorSystem(1) as system:
        ref = system.spawn(Member, mailbox=ROOM)
        ask_many(ref, n)
        return once(lambda: ask_many(ref, n), n)


def remote_asks_in_flight(n: int, _: Scale) -> float:
    with ProcessPool(1) as pool, ActorSystem(1) as system:
        ref = system.spawn(Member, on=pool, mailbox=ROOM)
        ask_many(ref, n)
        return once(lambda: ask_many(ref, n), n)


EXIT = """
import time, warnings
from mojo_seq import create_message_pipe
warnings.simplefilter("ignore")
pipes = [create_message_pipe() for _ in range({n})]
print(time.monotonic(), flush=True)
"""


def exit_seconds(n: int) -> float:
    """From the last statement of a program with n open pipes to its end."""
    code = EXIT.format(n=n)
    done = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    began = float(done.communicate()[0])
    return time.monotonic() - began


def leaving(n: int, _: Scale) -> float:
    without = min(exit_seconds(0) for _ in range(ROUNDS))
    return max(LEAST, (min(exit_seconds(n) for _ in range(ROUNDS)) - without) / n * 1e6)


@contextmanager
def remote_ends(n: int) -> Iterator[tuple[MessagePipeHandle, list[MessagePipeHandle]]]:
    with mojo_child(drain, n) as pipe:
        yield pipe, mojo_ends(pipe, n)


def drain(pipe: MessagePipeHandle, n: int) -> None:
    """Reads all there is in the first pipe when it is told how many messages come."""
    ends = take_mojo_ends(pipe, n)
    while True:
        for _ in range(int(bytes(receive(pipe)))):
            receive(ends[0])
        pipe.write(PAYLOAD)


def remote_closing(n: int, _: Scale) -> float:
    def close() -> None:
        for end in ends:
            end.close()

    with remote_ends(n) as (_pipe, ends):
        return once(close, n)


def remote_forking(n: int, _: Scale) -> float:
    without = least(fork)
    with remote_ends(n) as (_pipe, ends):
        figure = more(fork, n, without)
        for end in ends:
            end.close()
    return figure


def remote_in_flight(n: int, _: Scale) -> float:
    """Written to a process that begins to read when it has all of them, but for what the kernel
    or a ring takes."""
    with remote_ends(1) as (pipe, (end,)):

        def exchange() -> None:
            for _ in range(n):
                end.write(PAYLOAD)
            pipe.write(b"%d" % n)
            receive(pipe)

        exchange()
        figure = once(exchange, n)
        end.close()
    return figure


def measure(
    title: str, sample: Sample, most: float, counts: tuple[int, ...] = COUNTS, unit: str = "us"
) -> Measure:
    """Its targets: at most so many times what it costs with few."""
    return Measure(
        f"scale: {title}",
        unit,
        tuple(Contender(f"{n:,}", partial(at_scale, sample, n)) for n in counts),
        tuple(Target.within(f"{n:,}", f"{counts[0]:,}", most) for n in counts[1:]),
    )


FORKED = partial(with_pipes, fork)
COLLECTED = partial(with_pipes, gc.collect)
MEASURES = (
    measure("memory of each of n idle pipes", memory, 1.5, unit="bytes"),
    measure("closing n pipes, each", closing, 3),
    measure("n messages written, then read, each", in_flight, 3),
    measure("n asks sent, then answered, each", asks_in_flight, 3),
    measure("collecting garbage with n pipes, each", COLLECTED, 4, COUNTS[1:]),
    measure("collecting garbage with n actors, each", collecting_actors, 4, COUNTS[1:]),
    measure("ending a system of n actors, each", ending_actors, 3),
    measure("forking with n pipes, each", FORKED, 4, COUNTS[1:]),
    measure("the interpreter's exit with n pipes, each", leaving, 4, COUNTS[1:]),
    measure("closing n ends of pipes to another process, each", remote_closing, 3, REMOTE),
    measure("forking with n of those, each", remote_forking, 4, REMOTE),
    measure("n messages to another process, each", remote_in_flight, 3),
    measure("n asks to an actor in another process, each", remote_asks_in_flight, 3),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
