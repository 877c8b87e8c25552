"""What a node remembers of actors that other processes may know."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from strangers.fixtures import TIMEOUT

from mojo_seq import Actor, ActorRef, ActorSystem
from mojo_seq.actor.remote.node import node_of
from mojo_seq.process.remote_traceback import RemoteTraceback


class Fragile(Actor):
    """Fails when it is told to."""

    def __init__(self, born: list[weakref.ref[Fragile]]) -> None:
        born.append(weakref.ref(self))

    def fail(self, error: Exception) -> None:
        raise error


class Unpicklable(Exception):
    """Is not let out of the process."""

    def __reduce__(self) -> Any:
        raise TypeError("not to be pickled")


@pytest.fixture
def system(caplog: pytest.LogCaptureFixture) -> Iterator[ActorSystem]:
    caplog.set_level(logging.CRITICAL, "mojo_seq")  # pytest keeps what is logged
    with ActorSystem(2) as system:
        yield system


def failed(system: ActorSystem, error: Exception, born: list[weakref.ref[Fragile]]) -> int:
    """The number of an actor that has failed after a ref to it had left the process."""
    ref: ActorRef[Fragile] = system.spawn(Fragile, born)
    node_of(system).note(ref._target)
    number: int = ref._target.number
    ref.fail.tell(error)
    ref.fail(LookupError()).exception(TIMEOUT)
    return number


def settle(system: ActorSystem) -> None:
    """The guardian has done what it was told, and the threads of the pool something else."""
    done = threading.Event()
    system.guardian.post(done.set)
    assert done.wait(TIMEOUT)
    last: ActorRef[Fragile] = system.spawn(Fragile, [])
    last.stop()
    system.shutdown(TIMEOUT)
    gc.collect()


def test_an_actor_that_has_failed_is_let_go_of(system: ActorSystem) -> None:
    born: list[weakref.ref[Fragile]] = []
    for _ in range(3):
        failed(system, ValueError("on purpose"), born)
    node = node_of(system)
    settle(system)
    assert [each() for each in born] == [None, None, None]
    assert node is not None


def test_why_it_has_failed_is_known_all_the_same(system: ActorSystem) -> None:
    number = failed(system, ValueError("on purpose"), [])
    settle(system)
    reason = node_of(system).reason_of(number)
    assert reason.kind == "failed"
    assert isinstance(reason.error, ValueError)
    assert reason.error.args == ("on purpose",)
    assert isinstance(reason.error.__cause__, RemoteTraceback)
    assert "in fail" in str(reason.error.__cause__)


def test_also_of_an_error_that_cannot_be_sent(system: ActorSystem) -> None:
    number = failed(system, Unpicklable("secret"), [])
    settle(system)
    reason = node_of(system).reason_of(number)
    assert reason.kind == "failed"
    assert "Unpicklable: secret" in str(reason.error)


def test_of_those_that_nobody_asked_about_nothing_is_known(system: ActorSystem) -> None:
    assert node_of(system).reason_of(10**6) == ("stopped", None)
