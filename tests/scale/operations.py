"""What must not take longer the more there is of it: each with `n` of its kind about.

Run as a program it does them all, to be counted: `operations.py N`.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stepping import become_countable, countable

from mojo_seq import (
    Actor,
    ActorRef,
    ActorSystem,
    LeastBusyRouter,
    Mailbox,
    MessagePipe,
    RoundRobinRouter,
    RunLoop,
    Signals,
    Supervisor,
    WaitableEvent,
    WaitSet,
    Watcher,
    create_message_pipe,
)
from mojo_seq.actor.remote.accepted import Accepted
from mojo_seq.actor.remote.node import node_of
from mojo_seq.actor.remote.wire import ASK, pack_suffix
from mojo_seq.process.object_codec import encode
from mojo_seq.testing import TaskEnvironment

Operation = Callable[[], object]
OPERATIONS: dict[str, Callable[[int], Any]] = {}
PAYLOAD = b"x" * 64
READABLE = Signals.READABLE
WARM_UP = 3  # calls: a table may grow in one of them


def operation(make: Callable[[int], Iterator[Operation]]) -> Callable[[int], Iterator[Operation]]:
    """Registers a generator that makes n things, yields what is to be counted, and cleans up."""
    OPERATIONS[make.__name__] = contextmanager(make)
    return make


def in_turn(*calls: Operation) -> Operation:
    """All of them as one."""

    def call_all() -> None:
        for call in calls:
            call()

    return call_all


def close_all(pipes: list[MessagePipe]) -> None:
    for near, far in pipes:
        near.close()
        far.close()


@contextmanager
def some_pipes(n: int, written: bool = False) -> Iterator[list[MessagePipe]]:
    pipes = [create_message_pipe() for _ in range(n)]
    for near, _ in pipes if written else ():
        near.write(PAYLOAD)
    yield pipes
    close_all(pipes)


@operation
def making_and_closing_a_pipe(n: int) -> Iterator[Operation]:
    with some_pipes(n):
        yield lambda: close_all([create_message_pipe()])


@operation
def a_message(n: int) -> Iterator[Operation]:
    with some_pipes(n) as pipes:
        near, far = pipes[n // 2]
        yield in_turn(lambda: near.write(PAYLOAD), lambda: far.read())


@operation
def watching_one_more(n: int) -> Iterator[Operation]:
    with some_pipes(n + 1) as pipes, Watcher(lambda *_: None) as watcher:
        for number, (_, far) in enumerate(pipes[1:]):
            watcher.watch(far, READABLE, number)
        yield in_turn(
            lambda: watcher.watch(pipes[0].handle1, READABLE, "it"), lambda: watcher.cancel("it")
        )


@operation
def a_notification_of_one_watcher_of_many(n: int) -> Iterator[Operation]:
    with some_pipes(n) as pipes, Watcher(lambda *_: None) as watcher:
        for number, (_, far) in enumerate(pipes):
            watcher.watch(far, READABLE, number)
        near, far = pipes[n // 2]
        yield in_turn(lambda: watcher.arm(), lambda: near.write(PAYLOAD), lambda: far.read())


@operation
def one_of_many_watchers_of_a_handle(n: int) -> Iterator[Operation]:
    with some_pipes(1) as ((_, far),):
        watchers = [Watcher(lambda *_: None) for _ in range(n)]
        for each in watchers:
            each.watch(far, READABLE, 0)
        middle = watchers[n // 2]

        def again() -> None:
            middle.cancel(0)
            middle.watch(far, READABLE, 0)

        yield again
        for each in watchers:
            each.close()


@operation
def a_wait_set_of_many(n: int) -> Iterator[Operation]:
    with some_pipes(n) as pipes:
        waiting = WaitSet()
        for _, far in pipes:
            waiting.add_handle(far, READABLE)
        near, far = pipes[n // 2]
        yield in_turn(lambda: near.write(PAYLOAD), lambda: waiting.wait(), lambda: far.read())


@operation
def a_wait_set_with_many_ready(n: int) -> Iterator[Operation]:
    with some_pipes(n, written=True) as pipes:
        waiting = WaitSet()
        for _, far in pipes:
            waiting.add_handle(far, READABLE)
        near, far = pipes[n // 2]
        yield in_turn(lambda: far.read(), lambda: waiting.wait(1), lambda: near.write(PAYLOAD))


@operation
def adding_to_a_wait_set_with_many_ready(n: int) -> Iterator[Operation]:
    with some_pipes(n + 1, written=True) as pipes:
        waiting = WaitSet()
        for _, far in pipes[1:]:
            waiting.add_handle(far, READABLE)
        one = pipes[0].handle1
        yield in_turn(lambda: waiting.add_handle(one, READABLE), lambda: waiting.remove_handle(one))


@operation
def a_wait_set_of_many_events(n: int) -> Iterator[Operation]:
    waiting = WaitSet()
    events = [WaitableEvent(manual_reset=False) for _ in range(n + 1)]
    for each in events[1:]:
        waiting.add_event(each)
    middle = events[n // 2]

    def again() -> None:
        middle.signal()
        waiting.wait()
        waiting.add_event(events[0])
        waiting.remove_event(events[0])

    yield again


@operation
def a_delayed_task(n: int) -> Iterator[Operation]:
    loop = RunLoop()
    post = loop.task_runner.post_delayed_task
    pending = [post(1000.0 + number % 7, print) for number in range(n)]
    yield lambda: post(1001.0, print).cancel()
    for each in pending:
        each.cancel()


class Member(Actor):
    """One of very many."""

    def hear(self, what: object = None) -> object:
        return what

    def fail(self) -> None:
        raise ValueError("as it was told")


class Parent(Actor):
    """Of very many."""

    supervisor = Supervisor(max_restarts=1_000_000)

    def spawn_some(self, n: int) -> list[ActorRef[Member]]:
        return [self.spawn(Member) for _ in range(n)]

    def watch_over(self, refs: list[ActorRef[Member]]) -> None:
        for each in refs:
            self.monitor(each, self.on_end)

    def look_away_and_back(self, ref: ActorRef[Member]) -> None:
        self.unmonitor(ref)
        self.monitor(ref, self.on_end)

    def on_end(self, down: object) -> None:
        """It is not expected."""


@contextmanager
def some_actors(n: int) -> Iterator[tuple[TaskEnvironment, ActorSystem, list[ActorRef[Member]]]]:
    """All on this thread."""
    with TaskEnvironment(seed=1) as environment, ActorSystem(1) as system:
        room = Mailbox(100_000)
        refs = [system.spawn(Member, name=f"member {number}", mailbox=room) for number in range(n)]
        environment.run_until_idle()
        yield environment, system, refs


@operation
def asking_one_of_many_actors(n: int) -> Iterator[Operation]:
    with some_actors(n) as (_, _, refs):
        ref = refs[n // 2]
        yield lambda: ref.hear(1).result()


@operation
def a_message_to_the_least_busy_of_many(n: int) -> Iterator[Operation]:
    with some_actors(n) as (environment, _, refs):
        for each in refs:
            each.hear.tell()
        router = LeastBusyRouter(refs)
        yield lambda: router.hear.tell()
        environment.run_until_idle()


@operation
def one_of_many_routees(n: int) -> Iterator[Operation]:
    with some_actors(n) as (_, _, refs):
        router = RoundRobinRouter(refs)
        yield in_turn(lambda: router.remove_routee(refs[0]), lambda: router.add_routee(refs[0]))


@operation
def an_actor_that_waits_among_many_asks(n: int) -> Iterator[Operation]:
    with some_actors(2) as (environment, system, (one, other)):
        node: Any = node_of(system)
        near, far = create_message_pipe()
        accepted = Accepted(node, far)
        node._accepted.add(accepted)
        for number in range(n):  # they wait for the other one
            ask = encode(("hear", (), None, None), pack_suffix(ASK, other._target.number, number))
            ask.write_to(near)
        while len(accepted._asks) < n:
            accepted.read()
        yield one._target.extend_asks
        environment.run_until_idle()
        accepted.close()
        near.close()


@operation
def an_actor_more(n: int) -> Iterator[Operation]:
    with some_actors(n) as (environment, system, _):

        def one_more() -> None:
            ref = system.spawn(Member, name="one more")
            system.find("one more").stop()
            environment.run_until_idle()
            assert not ref.is_alive

        yield one_more


@operation
def one_of_many_subscribers(n: int) -> Iterator[Operation]:
    with some_actors(n) as (_, system, refs):
        topic = system.topic("news")
        for each in refs:
            topic.subscribe(each, Member.hear)
        ref = refs[n // 2]
        yield in_turn(lambda: topic.unsubscribe(ref), lambda: topic.subscribe(ref, Member.hear))


@operation
def one_of_many_monitors_of_an_actor(n: int) -> Iterator[Operation]:
    with some_actors(1) as (environment, system, refs):
        parents = [system.spawn(Parent) for _ in range(n)]
        for each in parents:
            each.tell(Parent.watch_over, refs)
        environment.run_until_idle()
        middle = parents[n // 2]
        yield lambda: middle.ask(Parent.look_away_and_back, refs[0]).result()


@operation
def a_monitor_of_many_actors(n: int) -> Iterator[Operation]:
    with some_actors(n) as (_, system, refs):
        parent = system.spawn(Parent)
        parent.ask(Parent.watch_over, refs).result()
        yield lambda: parent.ask(Parent.look_away_and_back, refs[n // 2]).result()


@operation
def a_restart_of_one_child_of_many(n: int) -> Iterator[Operation]:
    logging.getLogger("mojo_seq.actor").setLevel(logging.CRITICAL)
    with some_actors(1) as (environment, system, _):
        parent = system.spawn(Parent)
        child = parent.ask(Parent.spawn_some, n).result()[n // 2]
        environment.run_until_idle()

        def fail() -> None:
            child.tell(Member.fail)
            environment.run_until_idle()

        yield fail


def main(n: int) -> None:
    become_countable()
    for make in OPERATIONS.values():
        with make(n) as call:
            for _ in range(WARM_UP):
                call()
            gc.collect()
            gc.disable()
            countable(call)
            gc.enable()


if __name__ == "__main__":
    main(int(sys.argv[1]))
