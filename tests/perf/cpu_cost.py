"""What waiting costs: processor time, of all processes, by the second, and how often they wake up.

Idle pipes that were in use shortly before, idle pools and idle actors: nothing, not even a look now
and then. A ping-pong at several rates, with spins and without, and by `multiprocessing.Pipe`: a
spin is paid for with processor time, and only where it saves a wake-up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from harness import Measure, main
from many_links import mojo_ends, take_mojo_ends
from verdict import Target

from mojo_seq import (
    ActorSystem,
    MessagePipeHandle,
    ProcessPool,
    Result,
    SignalsState,
    SimpleWatcher,
    ThreadPool,
    WaitSet,
)
from mojo_seq.cli.bench.cases.ask_process import Echo
from mojo_seq.cli.bench.cases.round_trip import Link, mojo, multiprocessing_pipe
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.other_process import READABLE, mojo_child, receive
from mojo_seq.cli.bench.peers.pool_tasks import nothing
from mojo_seq.cli.bench.placing import apart
from mojo_seq.cli.bench.process_tree import descendants
from mojo_seq.cli.bench.processor_time import ProcessorTime
from mojo_seq.cli.bench.scale import Scale, UnavailableError

PIPES = 1_000
MESSAGES = 100  # through each of them: enough for a ring, as long as there are any to be had
SETTLE = 5.0  # seconds; rings that are not used are given back by then
IDLE = 3.0  # seconds
NOTHING = 1.0  # ms of processor time by the second
SELDOM = 3.0  # wake-ups by the second

Idle = Callable[[Scale], AbstractContextManager[None]]  # something that does nothing just now
Cost = Callable[[Link, str, Scale], float]  # of a ping-pong, with MOJO_SEQ_SPIN as that word


def echo_on_all(pipe: MessagePipeHandle, count: int) -> None:
    ends = take_mojo_ends(pipe, count)
    for end in ends:
        for _ in range(MESSAGES):
            end.write(receive(end).payload)
    waiting = WaitSet()
    for end in [*ends, pipe]:
        waiting.add_handle(end, READABLE)
    waiting.wait()


@contextmanager
def hot_pipes(scale: Scale) -> Iterator[list[MessagePipeHandle]]:
    """A thousand pipes to another process, each of which was in use a moment ago."""
    count = scale.n(PIPES)
    with mojo_child(echo_on_all, count) as pipe:
        ends = mojo_ends(pipe, count)
        for end in ends:
            for _ in range(MESSAGES):
                end.write(b"x" * 64)
                receive(end)
        yield ends
        for end in ends:
            end.close()


@contextmanager
def in_a_wait_set(scale: Scale) -> Iterator[None]:
    with hot_pipes(scale) as ends, ThreadPool(1) as pool:
        waiting = WaitSet()
        for end in ends:
            waiting.add_handle(end, READABLE)
        waited = pool.submit(waiting.wait)
        yield
        ends[0].close()
        waited.result()


@contextmanager
def watched(scale: Scale) -> Iterator[None]:
    with hot_pipes(scale) as ends, ThreadPool(1) as pool:
        runner = pool.create_sequenced_task_runner()
        watchers = runner.submit(watch_all, ends).result()
        yield
        runner.submit(close_all, watchers).result()


def watch_all(ends: list[MessagePipeHandle]) -> list[SimpleWatcher]:
    watchers = [SimpleWatcher() for _ in ends]
    for watcher, end in zip(watchers, ends, strict=True):
        watcher.watch(end, READABLE, nobody_writes)
    return watchers


def nobody_writes(result: Result, _state: SignalsState) -> None:
    raise AssertionError(result)


def close_all(watchers: list[SimpleWatcher]) -> None:
    for watcher in watchers:
        watcher.close()


@contextmanager
def thread_pool(scale: Scale) -> Iterator[None]:
    with ThreadPool(4) as pool:
        for _ in range(scale.n(1_000)):
            pool.submit(nothing).result()
        yield


@contextmanager
def process_pool(scale: Scale) -> Iterator[None]:
    with ProcessPool(2) as pool:
        for _ in range(scale.n(1_000)):
            pool.submit(nothing).result()
        yield


@contextmanager
def actor_worker(scale: Scale) -> Iterator[None]:
    with ProcessPool(1) as pool, ActorSystem(1) as system:
        echo = system.spawn(Echo, on=pool)
        for _ in range(scale.n(1_000)):
            echo.ping(b"x").result()
        yield


def processor_time(idle: Idle, scale: Scale) -> float:
    """Milliseconds by the second."""
    with idle(scale):
        time.sleep(SETTLE * scale.share)
        return used_while(lambda: time.sleep(IDLE * scale.share)) * 1e3


def wake_ups(idle: Idle, scale: Scale) -> float:
    """By the second. The thread that looks sleeps and wakes up once, too: it is not counted."""
    with idle(scale):
        time.sleep(SETTLE * scale.share)
        before = switches()
        time.sleep(IDLE * scale.share)
        return max(switches() - before - 1, 0) / (IDLE * scale.share)


def used_while(run: Callable[[], object]) -> float:
    """Seconds of processor time by the second.

    Raises:
        UnavailableError: this system does not tell.
    """
    used = ProcessorTime()
    start = time.perf_counter()
    run()
    elapsed = time.perf_counter() - start
    seconds = used.seconds()
    if seconds is None:
        raise UnavailableError("this system does not tell of other processes' time")
    return seconds / elapsed


def switches() -> int:
    """How often the threads of this process and all that come from it went to sleep."""
    total = 0
    for pid in [os.getpid(), *descendants()]:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            for line in status.read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def ping_pong(rate: float | None, link: Link, spin: str, scale: Scale) -> float:
    """Milliseconds by the second, at so many round trips by the second; None: as many as it can."""
    os.environ["MOJO_SEQ_SPIN"] = spin  # also for the other process; nobody has waited yet
    with link(*apart()) as run:
        run(1_000)
        if rate is None:
            return used_while(lambda: run(scale.n(100_000))) * 1e3
        return used_while(partial(pace, run, rate, 2.0 * scale.share)) * 1e3


def round_trip(link: Link, spin: str, scale: Scale) -> float:
    """Microseconds of processor time for one, as many as can be."""
    os.environ["MOJO_SEQ_SPIN"] = spin
    with link(*apart()) as run:
        run(1_000)
        n = scale.n(50_000)
        with scale.counting_cpu(n):
            run(n)
    if scale.cpu is None:
        raise UnavailableError("this system does not tell of other processes' time")
    return scale.cpu * 1e6


def pace(run: Callable[[int], None], rate: float, seconds: float) -> None:
    start = time.perf_counter()
    for turn in range(max(1, int(rate * seconds))):
        time.sleep(max(0.0, start + turn / rate - time.perf_counter()))
        run(1)


def idle_measures(name: str, *ways: tuple[str, Idle]) -> tuple[Measure, Measure]:
    """Of what does nothing: its processor time, and its wake-ups."""
    return (
        Measure(
            f"processor time of {name}",
            "ms/s",
            tuple(Contender(way, partial(processor_time, idle)) for way, idle in ways),
            tuple(Target.at_most(way, NOTHING, "ms/s") for way, _ in ways),
        ),
        Measure(
            f"wake-ups of {name}",
            "1/s",
            tuple(Contender(way, partial(wake_ups, idle)) for way, idle in ways),
            tuple(Target.at_most(way, SELDOM, "/s") for way, _ in ways),
        ),
    )


def ping_pong_measure(name: str, unit: str, cost: Cost, factor: float) -> Measure:
    return Measure(
        f"processor time of a ping-pong between two processes, {name}",
        unit,
        (
            Contender("mojo_seq", partial(cost, mojo, "auto")),
            Contender("mojo_seq, no spins", partial(cost, mojo, "never")),
            Contender("multiprocessing.Pipe", partial(cost, multiprocessing_pipe, "auto")),
        ),
        (
            Target.within("mojo_seq", "multiprocessing.Pipe", factor),
            Target.within("mojo_seq, no spins", "multiprocessing.Pipe", 1.5),
        ),
    )


def rate_measure(name: str, rate: float | None) -> Measure:
    return ping_pong_measure(name, "ms/s", partial(ping_pong, rate), 3.0)


MEASURES = (
    *idle_measures(
        "1,000 pipes that were in use", ("wait set", in_a_wait_set), ("watchers", watched)
    ),
    *idle_measures(
        "what does nothing",
        ("ThreadPool", thread_pool),
        ("ProcessPool", process_pool),
        ("actor in another process", actor_worker),
    ),
    ping_pong_measure("one round trip of as many as can be", "us", round_trip, 1.0),
    rate_measure("as many as can be", None),
    rate_measure("1,000 by the second", 1_000),
    rate_measure("100 by the second", 100),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
