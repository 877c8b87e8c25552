"""Topics: publish and subscribe."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Echo, Puppet
from troupe.fixtures import RunThreads, Spawn, WaitEnded

from mojo_seq import Actor, ActorRef, ActorSystem, DeadLetter, Mailbox, Topic
from mojo_seq.testing import TaskEnvironment


def test_subscribers_are_told_in_order(system: ActorSystem, spawn: Spawn, journal: Journal) -> None:
    topic = system.topic("prices")
    subscribers = [spawn(Puppet, journal.ref) for _ in range(3)]
    assert topic.publish("nobody hears this") == 0
    for ref in subscribers:
        topic.subscribe(ref, Puppet.note)
    for number in range(20):
        assert topic.publish(number) == 3
    assert sorted(journal.take(60)) == sorted([*range(20)] * 3)
    assert topic.subscribers == tuple(subscribers)
    for ref in subscribers:
        topic.unsubscribe(ref)
    assert topic.publish("nobody") == 0 and topic.subscribers == ()


def test_each_subscriber_keeps_the_order_of_publishing(
    system: ActorSystem, spawn: Spawn, journal: Journal, run_threads: RunThreads
) -> None:
    topic = system.topic("events")
    topic.subscribe(spawn(Puppet, journal.ref), "note")

    def publish(thread: int) -> None:
        for number in range(50):
            assert topic.publish((thread, number)) == 1

    run_threads(4, publish)
    heard = journal.take(200)
    for thread in range(4):
        assert [number for each, number in heard if each == thread] == list(range(50))


def test_one_actor_may_subscribe_with_several_methods(system: ActorSystem, spawn: Spawn) -> None:
    topic, counter = system.topic("t"), spawn(Counter)
    for _ in range(2):  # the second time it is harmless
        topic.subscribe(counter, "add")
        topic.subscribe(counter, Counter.add_async)
    assert topic.subscribers == (counter,)
    assert topic.publish(k=1) == 2
    assert counter.get().result(TIMEOUT) == 2
    topic.unsubscribe(counter, Counter.add)
    topic.unsubscribe(counter, Counter.add)
    assert topic.publish(10) == 1
    assert counter.get().result(TIMEOUT) == 12


def test_a_name_is_one_topic(system: ActorSystem) -> None:
    topic = system.topic("prices")
    assert isinstance(topic, Topic) and topic.name == "prices"
    assert system.topic("prices") is topic and system.topic("other") is not topic
    assert repr(topic) == "<Topic 'prices', 0 subscriptions>"
    with pytest.raises(TypeError, match="name must be a str"):
        system.topic(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cannot be sent"):
        pickle.dumps(topic)


def test_subscribing_keeps_a_topic(system: ActorSystem, spawn: Spawn) -> None:
    counter = spawn(Counter)
    system.topic("kept").subscribe(counter, Counter.add)
    system.topic("dropped").publish()
    gc.collect()
    assert list(system._topics) == ["kept"]
    assert system.topic("kept").publish(3) == 1
    assert counter.get().result(TIMEOUT) == 3
    system.topic("kept").unsubscribe(counter)
    gc.collect()
    assert list(system._topics) == []


def test_the_dead_are_unsubscribed(
    system: ActorSystem, spawn: Spawn, wait_ended: WaitEnded, letters: list[DeadLetter]
) -> None:
    topic = system.topic("t")
    counters = [spawn(Counter) for _ in range(3)]
    for ref in counters:
        topic.subscribe(ref, Counter.add)
    counters[0].kill()
    counters[1].stop()
    for ref in counters[:2]:
        wait_ended(ref)
    assert topic.subscribers == (counters[2],)
    assert topic.publish(5) == 1
    topic.subscribe(counters[0], Counter.add)  # dead already
    assert topic.subscribers == (counters[2],)
    assert counters[2].get().result(TIMEOUT) == 5 and letters == []


def test_bad_subscriptions_are_refused(system: ActorSystem, spawn: Spawn) -> None:
    topic = system.topic("t")
    with pytest.raises(TypeError, match="expected an ActorRef, not int"):
        topic.subscribe(5, "add")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="Echo has no method 'add'"):
        topic.subscribe(spawn(Echo), "add")


@pytest.mark.parametrize("overflow", ["block", "fail"])
def test_a_slow_subscriber_misses_what_does_not_fit(
    system: ActorSystem,
    spawn: Spawn,
    journal: Journal,
    gate: Gate,
    letters: list[DeadLetter],
    overflow: str,
) -> None:
    topic = system.topic("t")
    slow = spawn(Puppet, journal.ref, mailbox=Mailbox(3, overflow))
    quick = spawn(Puppet, journal.ref)
    slow.hold.tell(gate.ref)
    assert journal.next() == "held"
    topic.subscribe(slow, Puppet.note)
    topic.subscribe(quick, Puppet.work)
    told = [topic.publish(number) for number in range(10)]  # never waits, on this thread, too
    assert told == [2] * 3 + [1] * 7
    assert [letter.args for letter in letters] == [(number,) for number in range(3, 10)]
    assert {letter.ref for letter in letters} == {slow}
    gate.open()
    assert journal.take(3) == [0, 1, 2] and quick.count().result(TIMEOUT) == 10


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_a_slow_subscriber_drops_by_its_own_rule(
    system: ActorSystem,
    journal: Journal,
    gate: Gate,
    letters: list[DeadLetter],
    overflow: str,
) -> None:
    topic = system.topic("t")
    slow = system.spawn(Puppet, journal.ref, mailbox=Mailbox(3, overflow))
    slow.hold.tell(gate.ref)
    assert journal.next() == "held"
    topic.subscribe(slow, Puppet.note)
    assert [topic.publish(number) for number in range(10)] == [1] * 10
    gate.open()
    kept = [7, 8, 9] if overflow == "drop_oldest" else [0, 1, 2]
    assert journal.take(3) == kept
    assert sorted(letter.args[0] for letter in letters) == sorted({*range(10)} - {*kept})


class Publisher(Actor):
    """Publishes for others, also from a dead letter's callback."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic

    def publish(self, *args: Any) -> int:
        return self.topic.publish(*args)


def test_actors_publish(system: ActorSystem, spawn: Spawn, journal: Journal) -> None:
    topic = system.topic("t")
    publisher = system.spawn(Publisher, topic)
    topic.subscribe(publisher, Publisher.publish)  # and may hear of it themselves
    topic.unsubscribe(publisher)
    topic.subscribe(spawn(Puppet, journal.ref), Puppet.note)
    assert publisher.publish("news").result(TIMEOUT) == 1
    assert journal.next() == "news"


def test_a_dead_letters_callback_may_publish(
    system: ActorSystem, journal: Journal, gate: Gate
) -> None:
    topic, lost = system.topic("t"), system.topic("lost")
    slow = system.spawn(Puppet, journal.ref, mailbox=Mailbox(1))
    slow.hold.tell(gate.ref)
    assert journal.next() == "held"
    lost.subscribe(system.spawn(Puppet, journal.ref), Puppet.note)
    system.on_dead_letter = lambda letter: lost.publish(letter.args)
    topic.subscribe(slow, Puppet.work)
    assert [topic.publish(number) for number in range(3)] == [1, 0, 0]
    assert journal.take(2) == [(1,), (2,)]
    system.on_dead_letter = None
    gate.open()


def test_subscribers_come_and_go_while_others_publish(
    system: ActorSystem, spawn: Spawn, run_threads: RunThreads
) -> None:
    topic = system.topic("t")
    steady = spawn(Counter)
    topic.subscribe(steady, Counter.add)

    def act(thread: int) -> None:
        for _ in range(50):
            if thread == 0:
                assert topic.publish(1) >= 1
            else:
                passing: ActorRef[Counter] = system.spawn(Counter)
                topic.subscribe(passing, Counter.add)
                if thread == 1:
                    topic.unsubscribe(passing)
                passing.kill()

    run_threads(4, act)
    assert steady.get().result(TIMEOUT) == 50


def test_on_mock_time_after_the_end_nobody_hears() -> None:
    with TaskEnvironment():
        with ActorSystem() as system:
            topic = system.topic("t")
            topic.subscribe(system.spawn(Counter), Counter.add)
            assert topic.publish(1) == 1
        assert topic.publish(1) == 0 and topic.subscribers == ()
