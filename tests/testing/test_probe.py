"""Probe: an actor that a test plays. Public contract §13."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mojo_seq import Actor, ActorDeadError, ActorRef, ActorSystem, ThreadPool
from mojo_seq.testing import Probe, TaskEnvironment

TIMEOUT = 30.0


class Counter(Actor):
    def __init__(self) -> None:
        self.n = 0

    def add(self, k: int) -> int:
        self.n += k
        return self.n


class Client(Actor):
    """Adds to a counter, and tells a listener what came of it."""

    def __init__(self, counter: ActorRef[Counter], listener: ActorRef[Actor]) -> None:
        self.counter = counter
        self.listener = listener

    async def work(self, k: int) -> None:
        try:
            n = await self.counter.ask(Counter.add, k)
        except ValueError as error:
            self.listener.tell("failed", str(error))
        else:
            self.listener.tell("added", n, by=k)


@pytest.fixture(params=["environment", "threads"])
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """In an environment, and with threads."""
    with ExitStack() as stack:
        if request.param == "environment":
            stack.enter_context(TaskEnvironment(1))
        yield stack.enter_context(ActorSystem(2))


def test_it_stands_for_other_actors(system: ActorSystem) -> None:
    counter = Probe(system, Counter)
    listener = Probe[Actor](system)
    client = system.spawn(Client, counter.ref, listener.ref)
    client.work.tell(5)
    asked = counter.expect("add", TIMEOUT)
    assert (asked.args, asked.kwargs, asked.is_ask) == ((5,), {}, True)
    listener.expect_nothing()
    asked.answer(15)
    told = listener.expect("added", TIMEOUT)
    assert (told.args, told.kwargs, told.is_ask) == ((15,), {"by": 5}, False)
    client.work.tell(6)
    counter.expect("add", TIMEOUT).fail(ValueError("on purpose"))
    assert listener.expect("failed", TIMEOUT).args == ("on purpose",)
    listener.expect_nothing()
    assert [each.method for each in listener.messages] == ["added", "failed"]


def test_asks_are_answered_out_of_order(system: ActorSystem) -> None:
    probe = Probe[Actor](system)
    first, second = (probe.ref.ask("get", key) for key in "ab")
    asked = [probe.expect("get", TIMEOUT) for _ in range(2)]
    assert [each.args for each in asked] == [("a",), ("b",)]
    asked[1].answer(2)
    assert second.result(TIMEOUT) == 2
    assert not first.done()
    asked[0].answer(1)
    assert first.result(TIMEOUT) == 1


def test_an_answer_is_given_once_and_to_asks(system: ActorSystem) -> None:
    probe = Probe[Actor](system)
    probe.ref.tell("told")
    reply = probe.ref.ask("asked")
    told, asked = (probe.expect(timeout=TIMEOUT) for _ in range(2))
    with pytest.raises(RuntimeError, match="was told"):
        told.answer(1)
    asked.answer(1)
    with pytest.raises(RuntimeError, match="was answered"):
        asked.fail(ValueError())
    assert reply.result(TIMEOUT) == 1


def test_with_a_class_it_has_its_methods(system: ActorSystem) -> None:
    probe = Probe(system, Counter, name="counter")
    assert probe.ref.name == "counter"
    with pytest.raises(AttributeError, match="add"):
        probe.ref.subtract(1)
    probe.ref.add.tell(1)
    assert probe.expect("add", TIMEOUT).args == (1,)


def test_without_a_class_it_has_any_method(system: ActorSystem) -> None:
    probe = Probe[Actor](system)
    probe.ref.anything.tell(1, x=2)
    reply = probe.ref.whatever(3)
    assert repr(probe.expect("anything", TIMEOUT)) == "<ProbeMessage anything(1, x=2)>"
    probe.expect("whatever", TIMEOUT).answer("yes")
    assert reply.result(TIMEOUT) == "yes"
    with pytest.raises(AttributeError, match="no message"):
        probe.ref.ask("_private")
    with pytest.raises(AttributeError, match="no message"):
        probe.ref.ask("spawn")
    with pytest.raises(TypeError):
        probe.ref.ask(5)  # type: ignore[call-overload]


def test_what_does_not_come_is_an_error(system: ActorSystem) -> None:
    probe = Probe[Actor](system)
    with pytest.raises(AssertionError, match=r"expected 'add', got nothing in 0\.01 seconds"):
        probe.expect("add", timeout=0.01)
    with pytest.raises(AssertionError, match="expected a message"):
        probe.expect(timeout=0)


def test_what_comes_instead_is_an_error(system: ActorSystem) -> None:
    probe = Probe[Actor](system)
    probe.ref.tell("subtract", 1)
    with pytest.raises(AssertionError, match=r"expected 'add', got <ProbeMessage subtract\(1\)>"):
        probe.expect("add", TIMEOUT)
    with pytest.raises(AssertionError, match="expected nothing, got <ProbeMessage subtract"):
        probe.expect_nothing(TIMEOUT)
    probe.expect("subtract", TIMEOUT)  # it is still there
    probe.expect_nothing(0.01)


def test_asks_end_with_the_probe(system: ActorSystem) -> None:
    probe = Probe[Actor](system)
    waiting = probe.ref.ask("get")
    probe.expect("get", TIMEOUT)
    probe.ref.stop()
    with pytest.raises(ActorDeadError):
        waiting.result(TIMEOUT)


def test_timeouts_are_of_mock_time_in_an_environment() -> None:
    with TaskEnvironment() as env, ActorSystem() as system:
        probe = Probe[Actor](system)
        runner = ThreadPool().create_sequenced_task_runner()
        runner.post_delayed_task(3600, probe.ref.tell, "late")
        probe.expect_nothing(3599)
        probe.expect("late", 2)
        assert env.now() == 3600.0
        with pytest.raises(AssertionError):
            probe.expect()
        assert env.now() == 3603.0


def test_wrong_arguments(system: ActorSystem) -> None:
    with pytest.raises(TypeError, match="ActorSystem"):
        Probe(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="subclass of Actor"):
        Probe(system, int)  # type: ignore[type-var]
