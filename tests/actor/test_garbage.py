"""What has ended is let go of, and nothing grows."""

from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest
from troupe import TIMEOUT, Journal
from troupe.basic import Counter, Echo
from troupe.fixtures import Spawn, WaitEnded
from troupe.watchful import Observer

from mojo_seq import Actor, ActorRef, ActorSystem, Reply, Supervisor, _core


class Thing:
    """Something that can be referred to weakly."""


class Keeper(Actor):
    """Refers to things; and to itself."""

    def __init__(self, thing: Thing, born: list[weakref.ref[Keeper]]) -> None:
        self.thing = thing
        self.me = self
        born.append(weakref.ref(self))

    def work(self, thing: Thing | None = None) -> None:
        """Does not keep it."""

    async def work_async(self, thing: Thing) -> None: ...

    def fail(self) -> None:
        raise LookupError


def test_an_actor_is_let_go_of_after_its_end(spawn_here: Spawn, wait_ended: WaitEnded) -> None:
    born: list[weakref.ref[Keeper]] = []
    thing = Thing()
    keeper = spawn_here(Keeper, thing, born)
    keeper.work().result(TIMEOUT)
    seen = weakref.ref(thing)
    del thing
    assert seen() is not None
    keeper.stop()
    wait_ended(keeper)
    keeper._target.runner.submit(gc.collect).result(TIMEOUT)  # its last task has returned
    assert born[0]() is None
    # The ref may be kept, and the arguments with it, until nobody has it any more.
    del keeper
    gc.collect()
    assert seen() is None


def test_an_old_object_is_let_go_of_after_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    born: list[weakref.ref[Keeper]] = []
    with ActorSystem(2, supervisor=Supervisor()) as system:
        caplog.set_level(logging.CRITICAL, "mojo_seq")  # pytest keeps what is logged
        keeper = system.spawn(Keeper, Thing(), born)
        keeper.fail.tell()
        keeper.work().result(TIMEOUT)
        barrier(system)  # the guardian has forgotten the error, whose traceback has the object
        gc.collect()
        assert [each() is None for each in born] == [True, False]


class Arriving:
    """Stands for a connection: the answer comes in just when somebody begins to wait for it."""

    def __init__(self, reply: Reply[str]) -> None:
        self._reply = reply

    def attend(self, loop: object) -> None:
        self._reply.waiter = None
        self._reply.succeed("came")


class Awaiting(Actor):
    """Awaits what it is given."""

    async def wait_for(self, reply: Reply[str]) -> str:
        return await reply


def test_an_answer_that_comes_in_at_once_is_waited_for_no_longer(spawn_here: Spawn) -> None:
    awaiting = spawn_here(Awaiting)
    reply = Reply[str]()
    reply.waiter = Arriving(reply)
    assert awaiting.wait_for(reply).result(TIMEOUT) == "came"
    assert awaiting._target.waits() == []


class Taker(Actor):
    """Takes things and keeps none of them, but counts how often it was made of them."""

    def __init__(self, thing: Thing, made: list[str], *, more: Thing | None = None) -> None:
        assert isinstance(thing, Thing)
        made.append("with more" if more is not None else "alone")

    def work(self) -> None: ...

    def fail(self) -> None:
        raise LookupError


class Nursery(Actor):
    """Has such a child."""

    def bear(self, thing: Thing, made: list[str]) -> ActorRef[Taker]:
        return self.spawn(Taker, thing, made, more=thing)


class CarefulNursery(Nursery):
    """And restarts it."""

    supervisor = Supervisor()


def test_constructor_arguments_are_let_go_of_where_there_are_no_restarts(
    spawn_here: Spawn,
) -> None:
    thing, more = Thing(), Thing()
    seen = [weakref.ref(thing), weakref.ref(more)]
    taker = spawn_here(Taker, thing, [], more=more)
    nursery = spawn_here(Nursery)
    child = nursery.bear(thing, []).result(TIMEOUT)
    del thing, more
    taker.work().result(TIMEOUT)
    child.work().result(TIMEOUT)
    nursery.stop()  # forgets the message
    gc.collect()
    assert [each() for each in seen] == [None, None]


def test_they_are_kept_for_restarts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "mojo_seq")
    made: list[str] = []
    with ActorSystem(1, supervisor=Supervisor()) as system:
        takers = [
            system.spawn(Taker, Thing(), made),
            system.spawn(Taker, Thing(), made, more=Thing()),
            system.spawn(CarefulNursery).bear(Thing(), made).result(TIMEOUT),
        ]
        for taker in takers:
            taker.fail.tell()
            taker.work().result(TIMEOUT)
    assert sorted(made) == ["alone"] * 2 + ["with more"] * 4


def test_a_system_that_is_dropped_goes_with_its_actors() -> None:
    def make() -> weakref.ref[ActorSystem]:
        system = ActorSystem(1)
        born: list[weakref.ref[Keeper]] = []
        refs = [system.spawn(Keeper, Thing(), born) for _ in range(3)]
        refs.append(system.spawn(Keeper, refs, born))
        for each in refs:
            each.work().result(TIMEOUT)
        refs[0]._target.runner.exception_handler = refs.append
        barrier(system)
        refs[0]._target.runner.submit(int).result(TIMEOUT)  # its last turn is over
        return weakref.ref(system)

    with pytest.warns(ResourceWarning, match="dropped without shutdown"):
        system = make()
        gc.collect()
        assert system() is None


def barrier(system: ActorSystem) -> None:
    """Everything that the guardian has been told by now is done."""
    done = threading.Event()
    system.guardian.post(done.set)
    assert done.wait(TIMEOUT)


def test_arguments_and_results_are_let_go_of(spawn_here: Spawn) -> None:
    born: list[weakref.ref[Keeper]] = []
    keeper, echo = spawn_here(Keeper, Thing(), born), spawn_here(Echo)
    argument = Thing()
    seen = weakref.ref(argument)
    keeper.work(argument).result(TIMEOUT)
    keeper.work_async(argument).result(TIMEOUT)
    reply = echo.echo(argument)
    assert reply.result(TIMEOUT) is argument
    del argument, reply
    keeper.work().result(TIMEOUT)
    echo.echo(None).result(TIMEOUT)
    gc.collect()
    assert seen() is None


def test_a_dropped_reply_is_no_leak(spawn_here: Spawn) -> None:
    echo = spawn_here(Echo)
    reply = echo.echo(Thing())
    seen = weakref.ref(reply)
    reply.result(TIMEOUT)
    del reply
    echo.echo(None).result(TIMEOUT)
    gc.collect()
    assert seen() is None


def test_a_system_is_let_go_of(spawn_here: Spawn) -> None:
    system = ActorSystem(1)
    counter = system.spawn(Counter)
    counter.add(1).result(TIMEOUT)
    system.shutdown(TIMEOUT)
    seen = weakref.ref(system)
    del counter, system
    gc.collect()
    assert seen() is None


def test_ended_actors_are_forgotten_by_the_system(
    spawn_here: Spawn, system: ActorSystem, wait_ended: WaitEnded
) -> None:
    before = len(system.cells())
    for _ in range(50):
        counter = spawn_here(Counter, name="again")
        counter.stop()
        wait_ended(counter)
    assert len(system.cells()) == before


def test_monitors_of_ended_actors_are_forgotten(
    spawn_here: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    counter = spawn_here(Counter)
    for _ in range(20):
        observer = spawn_here(Observer, journal.ref)
        observer.observe(counter).result(TIMEOUT)
        observer.stop()
        wait_ended(observer)
    assert not counter._target.observers


def test_links_of_ended_actors_are_forgotten(
    spawn_here: Spawn, journal: Journal, wait_ended: WaitEnded
) -> None:
    counter = spawn_here(Counter)
    for _ in range(20):
        observer = spawn_here(Observer, journal.ref)
        observer.link_to(counter).result(TIMEOUT)
        observer.stop()
        wait_ended(observer)
    assert not counter._target.observers


def test_asks_leave_no_engine_objects(spawn_here: Spawn) -> None:
    counter = spawn_here(Counter)
    counter.add(1).result(TIMEOUT)
    counter.add_async(1).result(TIMEOUT)
    before = _core.live_objects()
    for _ in range(200):
        counter.add(1).result(TIMEOUT)
        counter.add_async(1).result(TIMEOUT)
    after = _core.live_objects()
    assert {kind: n for kind, n in after.items() if n > before[kind] + 2} == {}


def test_no_objects_grow_with_messages(spawn_here: Spawn) -> None:
    counter = spawn_here(Counter)
    for _ in range(100):
        counter.add(1).result(TIMEOUT)
        counter.add_async(1).result(TIMEOUT)

    def count() -> int:
        gc.collect()
        return len(gc.get_objects())

    before = count()
    replies = [counter.add(1) for _ in range(500)] + [counter.add_async(1) for _ in range(500)]
    assert [type(reply.result(TIMEOUT)) for reply in replies] == [int] * 1000
    del replies
    counter.get().result(TIMEOUT)
    assert count() < before + 100
    assert Reply is not None
