"""stash and unstash: messages put aside for later."""

from __future__ import annotations

import pytest
from troupe import TIMEOUT, Journal
from troupe.fixtures import Spawn, WaitEnded
from troupe.letters import Letters
from troupe.watchful import Hotel

from mojo_seq import ActorDeadError, Mailbox, MailboxFullError


def test_only_messages_can_be_stashed(spawn: Spawn, journal: Journal) -> None:
    spawn(Hotel, journal.ref)
    assert journal.next() == "RuntimeError", "on_start is no message"


def test_stashed_messages_come_back_in_order_before_the_others(
    spawn: Spawn, journal: Journal
) -> None:
    hotel = spawn(Hotel, journal.ref)
    journal.next()
    early = [hotel.check_in(i) for i in range(3)]
    hotel.check_in.tell(3)
    opened = hotel.open_up()
    late = hotel.check_in("late")
    assert opened.result(TIMEOUT) == 4
    assert [reply.result(TIMEOUT) for reply in early] == [0, 1, 2]
    assert late.result(TIMEOUT) == "late"
    assert journal.take(5) == [0, 1, 2, 3, "late"]


def test_the_asker_of_a_stashed_message_goes_on_waiting(spawn: Spawn, journal: Journal) -> None:
    hotel = spawn(Hotel, journal.ref)
    reply = hotel.check_in("guest")
    hotel.work(1).result(TIMEOUT)
    assert not reply.done()
    hotel.open_up().result(TIMEOUT)
    assert reply.result(TIMEOUT) == "guest"


def test_async_methods_stash_too(spawn: Spawn, journal: Journal) -> None:
    hotel = spawn(Hotel, journal.ref)
    reply = hotel.check_in_async("guest")
    hotel.check_in_async.tell("silent guest")
    hotel.work().result(TIMEOUT)
    assert not reply.done()
    assert hotel.open_up().result(TIMEOUT) == 2
    assert reply.result(TIMEOUT) == "guest"
    assert journal.take(3)[1:] == ["guest", "silent guest"]


def test_a_message_may_be_stashed_again(spawn: Spawn, journal: Journal) -> None:
    hotel = spawn(Hotel, journal.ref)
    reply = hotel.check_in("guest")
    hotel.tell("unstash_only")
    hotel.tell("unstash_only")
    hotel.work().result(TIMEOUT)
    assert not reply.done()
    hotel.open_up().result(TIMEOUT)
    assert reply.result(TIMEOUT) == "guest"


def test_unstash_of_nothing(spawn: Spawn, journal: Journal) -> None:
    hotel = spawn(Hotel, journal.ref)
    assert hotel.open_up().result(TIMEOUT) == 0


def test_stashing_twice_raises(spawn: Spawn, journal: Journal) -> None:
    hotel = spawn(Hotel, journal.ref)
    with pytest.raises(RuntimeError):
        hotel.stash_twice().result(TIMEOUT)


@pytest.mark.parametrize("how", ["ask", "tell"])
def test_a_message_may_be_put_aside_and_back_at_once(
    spawn: Spawn, journal: Journal, how: str
) -> None:
    hotel = spawn(Hotel, journal.ref)
    assert journal.next() == "RuntimeError"
    if how == "ask":
        assert hotel.come_in_again().result(TIMEOUT) == "inside"
    else:
        hotel.come_in_again.tell()
    hotel.work(1).result(TIMEOUT)
    assert journal.rest() == ["at the door"] * 2


def test_the_stash_is_bounded(spawn: Spawn, journal: Journal) -> None:
    hotel = spawn(Hotel, journal.ref, mailbox=Mailbox(2))
    kept = [hotel.check_in(i) for i in range(2)]
    hotel.work().result(TIMEOUT)
    with pytest.raises(MailboxFullError):
        hotel.check_in(2).result(TIMEOUT)
    hotel.open_up().result(TIMEOUT)
    assert [reply.result(TIMEOUT) for reply in kept] == [0, 1]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_is_still_aside_at_the_end_is_refused(
    spawn: Spawn, journal: Journal, wait_ended: WaitEnded, letters: Letters, end: str
) -> None:
    hotel = spawn(Hotel, journal.ref)
    reply = hotel.check_in("guest")
    hotel.check_in.tell("silent guest")
    hotel.work().result(TIMEOUT)
    getattr(hotel, end)()
    with pytest.raises(ActorDeadError):
        reply.result(TIMEOUT)
    wait_ended(hotel)
    assert [letter.args for letter in letters.take(1)] == [("silent guest",)]


def test_outside_of_an_actor_there_is_nothing_to_stash(journal: Journal) -> None:
    hotel = Hotel.__new__(Hotel)
    with pytest.raises(RuntimeError, match="spawned"):
        hotel.stash()
