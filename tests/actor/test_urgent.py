"""Control messages overtake what is queued (issue: stop, down, kill)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from troupe import TIMEOUT, Gate, Journal
from troupe.basic import Counter, Puppet
from troupe.fixtures import Spawn, WaitEnded
from troupe.watchful import Observer, Overtaken

from mojo_seq import ActorDeadError, ActorRef, Mailbox, MailboxFullError

AwaitDown = Callable[[], None]


@pytest.fixture
def sentinels(spawn: Spawn, journal: Journal) -> Callable[[ActorRef[Counter]], AwaitDown]:
    """Observers of an actor in every worker, the last to be told of its end there. Gives what waits
    until all have been told: nothing orders what two processes are told."""

    def place(ref: ActorRef[Counter]) -> AwaitDown:
        count = 4
        for _ in range(count):
            spawn(Observer, journal.ref).observe(ref, "sentinel").result(TIMEOUT)

        def wait() -> None:
            assert [label for label, *_ in journal.take(count)] == ["sentinel"] * count

        return wait

    return place


def test_down_overtakes_queued_messages(
    spawn: Spawn,
    journal: Journal,
    gate: Gate,
    sentinels: Callable[[ActorRef[Counter]], AwaitDown],
) -> None:
    overtaken, counter = spawn(Overtaken, journal.ref), spawn(Counter)
    overtaken.hold_and_observe.tell(gate.ref, counter)
    assert journal.next() == "held"
    counter.add(1).result(TIMEOUT)
    for i in range(10):
        overtaken.note.tell(i)
    overtaken.observe.tell(counter, "late")  # behind the queue
    await_down = sentinels(counter)
    counter.stop()
    await_down()
    gate.open()
    assert journal.next() == ("down", counter, "stopped")
    assert journal.take(10) == list(range(10))
    assert journal.next() == ("late", counter, "stopped")


def test_kill_overtakes_queued_messages(
    spawn: Spawn,
    journal: Journal,
    gate: Gate,
    wait_ended: WaitEnded,
    heard: Callable[[], None],
) -> None:
    puppet = spawn(Puppet, journal.ref)
    puppet.hold.tell(gate.ref)
    assert journal.next() == "held"
    for i in range(10):
        puppet.note.tell(i)
    puppet.kill()
    heard()
    gate.open()
    wait_ended(puppet)
    assert journal.rest() == []


def test_a_links_failure_overtakes_queued_messages(
    spawn: Spawn, journal: Journal, gate: Gate, wait_ended: WaitEnded
) -> None:
    one, other = spawn(Observer, journal.ref, "one"), spawn(Puppet, journal.ref)
    one.link_to(other).result(TIMEOUT)
    one.hold.tell(gate.ref)
    assert journal.next() == "held"
    one.note.tell("never")
    late = one.work()
    other.fail.tell()
    wait_ended(other)
    with pytest.raises(ActorDeadError):
        late.result(TIMEOUT)
    gate.open()
    assert wait_ended(one).kind == "linked"
    assert journal.next() == ("one", "linked", "LookupError")


def test_control_messages_need_no_room(
    spawn: Spawn,
    journal: Journal,
    gate: Gate,
    sentinels: Callable[[ActorRef[Counter]], AwaitDown],
) -> None:
    overtaken = spawn(Overtaken, journal.ref, mailbox=Mailbox(1, "fail"))
    counter = spawn(Counter)
    overtaken.hold_and_observe.tell(gate.ref, counter)
    assert journal.next() == "held"
    overtaken.note.tell("queued")
    with pytest.raises(MailboxFullError):
        overtaken.note.tell("no room")
    await_down = sentinels(counter)
    counter.kill()
    await_down()
    overtaken.stop()
    gate.open()
    entries = journal.take(3)
    assert sorted(map(str, entries[:2])) == sorted(
        map(str, [("down", counter, "killed"), "queued"])
    )
    assert entries[2] == ("", "stopped", "NoneType")


def test_a_restart_does_not_wait_for_the_queue(spawn: Spawn, journal: Journal) -> None:
    from troupe.lives import Parent

    from mojo_seq import Supervisor

    parent = spawn(Parent, journal.ref, "p", supervisor=Supervisor())
    (child,) = parent.have_lives("c").result(TIMEOUT)
    assert len(journal.take(4)) == 4
    child.fail.tell()
    for i in range(5):
        child.note.tell(i)
    assert journal.take(3) == [("c", "failed"), ("c", "init"), ("c", "start")]
    assert journal.take(5) == list(range(5))
