"""Wrong arguments raise at the call (public contract §1, §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from troupe import TIMEOUT, Journal
from troupe.basic import Counter
from troupe.fixtures import Spawn
from troupe.lives import Parent
from troupe.misusers import Misuser

from mojo_seq import Actor, ActorRef, ActorSystem, Mailbox, RunLoop, Supervisor


class NoActor:
    """Looks like one."""

    def add(self) -> None: ...


@pytest.mark.parametrize("actor_class", [NoActor, Counter(3), "Counter", None, int])
def test_spawning_what_is_no_actor_class(system: ActorSystem, actor_class: Any) -> None:
    with pytest.raises(TypeError, match="Actor"):
        system.spawn(actor_class)


@pytest.mark.parametrize(
    "options",
    [
        {"name": 3},
        {"mailbox": 3},
        {"mailbox": "block"},
        {"supervisor": "one_for_one"},
        {"on": 3},
        {"on": "thread"},
        {"on": RunLoop},
    ],
)
def test_wrong_options(system: ActorSystem, journal: Journal, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        system.spawn(Counter, **options)
    parent = system.spawn(Parent, journal.ref)
    with pytest.raises(TypeError):
        parent.have(Counter, **options).result(TIMEOUT)


def test_a_failed_spawn_leaves_its_name_free(system: ActorSystem) -> None:
    wrong: Any = 3
    with pytest.raises(TypeError):
        system.spawn(Counter, name="c", on=wrong)
    assert system.spawn(Counter, name="c").add(1).result(TIMEOUT) == 1


@pytest.mark.parametrize("capacity", [0, -1])
def test_mailboxes_without_room(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        Mailbox(capacity)


@pytest.mark.parametrize("capacity", ["10", 1.5, None])
def test_capacities_are_integers(capacity: Any) -> None:
    with pytest.raises(TypeError):
        Mailbox(capacity)


@pytest.mark.parametrize("overflow", ["drop", "", None, 3])
def test_unknown_overflow(overflow: Any) -> None:
    with pytest.raises(ValueError, match="block, fail, drop_oldest, drop_newest"):
        Mailbox(overflow=overflow)


def test_mailboxes_are_values() -> None:
    assert Mailbox() == Mailbox(1024, "block")
    assert hash(Mailbox(3, "fail")) == hash(Mailbox(3, "fail"))
    with pytest.raises(AttributeError):
        Mailbox().capacity = 3  # type: ignore[misc]


@pytest.mark.parametrize("arguments", [{"supervisor": 3}, {"max_workers": "2"}, {"max_workers": 0}])
def test_wrong_systems(arguments: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        ActorSystem(**arguments)


def test_an_actor_that_was_not_spawned_cannot_act() -> None:
    counter = Counter(3)
    assert counter.add(1) == 4, "it is an ordinary object"
    ref: Any = None
    calls: list[Callable[[], object]] = [
        lambda: counter.ref,
        lambda: counter.system,
        lambda: counter.task_runner,
        lambda: counter.spawn(Counter),
        lambda: counter.call_later(1.0, counter.get),
        lambda: counter.monitor(ref, print),
        lambda: counter.link(ref),
        lambda: counter.stash(),
        lambda: counter.unstash(),
        lambda: counter.stop(),
        lambda: counter.set_idle_timeout(1.0),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="spawned"):
            call()


def test_refs_cannot_be_made(system: ActorSystem) -> None:
    make: Any = ActorRef
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("try_monitor", (None,)),
        ("try_monitor", ("name",)),
        ("try_link", (None,)),
        ("try_link", (3,)),
        ("try_monitor_with", ("no method",)),
        ("try_spawn", (int,)),
        ("try_unmonitor", (3,)),
    ],
)
def test_misuse_inside_an_actor(spawn: Spawn, method: str, arguments: tuple[Any, ...]) -> None:
    misuser = spawn(Misuser)
    assert misuser.ask(method, *arguments).result(TIMEOUT) == "TypeError"
    assert misuser.is_alive


def test_the_constructor_may_use_what_an_actor_has(spawn: Spawn) -> None:
    from troupe.misusers import EagerActor

    assert spawn(EagerActor).seen().result(TIMEOUT) == [True, True, True]


def test_subclasses_need_not_call_the_bases_constructor(spawn: Spawn) -> None:
    from troupe.misusers import WithNew, WithSlots

    assert spawn(WithSlots, 3).get().result(TIMEOUT) == 3
    assert spawn(WithNew, 4).get().result(TIMEOUT) == 4


def test_the_base_itself_can_be_spawned(system: ActorSystem) -> None:
    ref = system.spawn(Actor)
    assert ref.is_alive
    assert Supervisor() is not None
