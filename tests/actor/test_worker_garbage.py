"""What has ended leaves nothing in the worker process that it ran in, either."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.lives import Parent
from troupe.probes import Probe
from troupe.watchful import Observer

from mojo_seq import Actor, ActorDeadError, ActorRef, ActorSystem, ProcessPool, Supervisor

pytestmark = pytest.mark.across_processes

Spawn = Callable[..., ActorRef[Any]]

ROUNDS = 10
AT_TIMES = 4


def use(spawn: Spawn, journal: Journal, gate: Gate) -> None:
    """A bit of everything."""
    counter, puppet = spawn(Counter), spawn(Puppet, journal.ref)
    assert [counter.add_async(1).result(TIMEOUT) for _ in range(10)] == list(range(1, 11))
    observer = spawn(Observer, journal.ref)
    observer.observe(counter).result(TIMEOUT)
    observer.link_to(puppet).result(TIMEOUT)
    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor())
    child = parent.have(Puppet, journal.ref).result(TIMEOUT)
    child.fail.tell()
    assert child.work(1).result(TIMEOUT) == 1
    held = puppet.hold(gate.ref)
    queued = [puppet.work() for _ in range(10)]
    counter.stop()
    puppet.kill()
    for reply in [held, *queued]:
        with pytest.raises(ActorDeadError):
            reply.result(TIMEOUT)


def test_systems_that_ended_leave_nothing_in_a_worker() -> None:
    with ProcessPool(1) as pool, ActorSystem(1) as outer:
        probe = outer.spawn(Probe, on=pool)

        def one_system() -> None:
            with ActorSystem(2) as system:
                journal, gate = Journal(system), Gate(system)

                def spawn(actor_class: type[Actor], *args: Any, **options: Any) -> ActorRef[Any]:
                    return system.spawn(actor_class, *args, on=pool, **options)

                use(spawn, journal, gate)
                gate.open()

        one_system()  # what is made once and for all
        before = settled(probe, None)
        allow_for_moments(before)
        for _ in range(ROUNDS):
            one_system()
        after = settled(probe, before)
        assert {kind: n for kind, n in after.items() if n > before[kind]} == {}


def test_actors_that_ended_leave_nothing_in_a_worker() -> None:
    with ProcessPool(1) as pool, ActorSystem(2) as system:
        journal = Journal(system)
        probe = system.spawn(Probe, on=pool)

        def spawn(actor_class: type[Actor], *args: Any, **options: Any) -> ActorRef[Any]:
            made = system.spawn(actor_class, *args, on=pool, **options)
            spawned.append(made)
            return made

        def one_round() -> None:
            gate = Gate(system)
            use(spawn, journal, gate)
            gate.open()
            while spawned:
                spawned.pop().kill()
            gate.ref.kill()

        spawned: list[ActorRef[Any]] = []
        one_round()
        before = settled(probe, None)
        allow_for_moments(before)
        for _ in range(ROUNDS):
            one_round()
        after = settled(probe, before)
        assert {kind: n for kind, n in after.items() if n > before[kind]} == {}


def allow_for_moments(holdings: dict[str, int]) -> None:
    """Threads are started as they are needed, a connection is watched or looked at now and then:
    that comes and goes. What is left by each round would be more."""
    for kind in holdings:
        holdings[kind] += AT_TIMES


def settled(probe: ActorRef[Probe], expected: dict[str, int] | None) -> dict[str, int]:
    """The holdings of the worker when they do not change any more, or are as expected."""
    deadline = time.monotonic() + TIMEOUT / 2
    now = probe.ask(Probe.holdings).result(TIMEOUT)
    while time.monotonic() < deadline:
        last, now = now, probe.ask(Probe.holdings).result(TIMEOUT)
        if expected is None:
            if now == last:
                break
        elif all(now[kind] <= expected[kind] for kind in now):
            break
        time.sleep(0.01)
    return now
