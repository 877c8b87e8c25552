"""Bounded mailboxes of actors in other processes: how much a client may send."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from strangers import Friend
from strangers.actors import Doorkeeper, Waiting
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ActorRef, ActorSystem, Mailbox, MailboxFullError
from mojo_seq.actor.remote.credits import Purse


@pytest.fixture
def door(system: ActorSystem) -> Iterator[ActorRef[Doorkeeper]]:
    """Holds those who wait at it; open at the end at the latest."""
    made = system.spawn(Doorkeeper)
    yield made
    made.open.tell()


def held(put: Put, door: ActorRef[Doorkeeper], mailbox: Mailbox) -> ActorRef[Waiting]:
    """An actor that waits at the door; its mailbox is empty."""
    waiting = put(Waiting, mailbox=mailbox)
    waiting.wait_at.tell(door)
    door.await_guest().result(TIMEOUT)
    return waiting


def test_a_tell_without_a_credit_fails(put: Put, door: ActorRef[Doorkeeper]) -> None:
    waiting = held(put, door, Mailbox(3, "fail"))
    sent = 0
    with pytest.raises(MailboxFullError):
        while sent < 10:
            waiting.note.tell(sent)
            sent += 1
    assert 2 <= sent <= 3  # the credit of the message that it is at may be on its way
    assert isinstance(waiting.note(9).exception(TIMEOUT), MailboxFullError)
    door.open.tell()
    while True:
        error = waiting.noted().exception(TIMEOUT)
        if error is None:
            break
        assert isinstance(error, MailboxFullError)
    assert waiting.noted().result(TIMEOUT) == list(range(sent))


def test_a_thread_waits_for_credits(put: Put, door: ActorRef[Doorkeeper]) -> None:
    waiting = held(put, door, Mailbox(2, "block"))
    sent = []

    def send() -> None:
        for number in range(50):
            waiting.note.tell(number)
            sent.append(number)

    thread = threading.Thread(target=send)
    thread.start()
    while len(sent) < 2:
        pass
    assert thread.is_alive() and len(sent) <= 3
    door.open.tell()
    thread.join(TIMEOUT)
    assert waiting.noted().result(TIMEOUT) == list(range(50))


def test_an_awaited_ask_waits_and_blocks_no_loop(put: Put, door: ActorRef[Doorkeeper]) -> None:
    waiting = held(put, door, Mailbox(1, "block"))

    async def main() -> None:
        asks = [asyncio.ensure_future(_awaited(waiting, number)) for number in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(MailboxFullError):
            waiting.note.tell(99)
        door.open.tell()
        assert await asyncio.gather(*asks) == list(range(5))

    asyncio.run(main())
    assert waiting.noted().result(TIMEOUT) == list(range(5))


async def _awaited(waiting: ActorRef[Waiting], number: int) -> int:
    noted: int = await waiting.note(number)
    return noted


def test_large_mailboxes_get_their_credits_in_batches(put: Put) -> None:
    waiting = put(Waiting, mailbox=Mailbox(100, "block"))
    for number in range(5000):
        waiting.note.tell(number)
    assert waiting.noted().result(TIMEOUT) == list(range(5000))


def test_credits_survive_a_thousand_cancelled_asks(put: Put) -> None:
    waiting = put(Waiting, mailbox=Mailbox(4, "block"))
    for number in range(300):
        waiting.note(number).cancel()
    assert waiting.note(-1).result(TIMEOUT) == -1


def test_those_that_wait_are_released_when_the_actor_ends(
    put: Put, door: ActorRef[Doorkeeper]
) -> None:
    waiting = held(put, door, Mailbox(1, "block"))
    waiting.note.tell(0)
    released = threading.Event()

    def send() -> None:
        waiting.note.tell(1)
        released.set()

    thread = threading.Thread(target=send)
    thread.start()
    waiting.kill()
    door.open.tell()
    assert released.wait(TIMEOUT)
    thread.join()


def test_two_clients_are_both_minded(put: Put) -> None:
    waiting, friends = put(Waiting, mailbox=Mailbox(2, "block")), [put(Friend), put(Friend)]
    replies = [friend.ask_many(waiting, "note", 100) for friend in friends]
    for reply in replies:
        assert reply.result(TIMEOUT) == 100
    assert len(waiting.noted().result(TIMEOUT)) == 200


class _Lost:
    """A connection that is found to be lost just when another thread sends what was held back."""

    ends = ()

    def __init__(self) -> None:
        self.purse: Any = None

    @property
    def lost(self) -> bool:
        self.purse._held_back.clear()
        return True


def test_two_threads_that_give_up_the_same_purse_do_each_other_no_harm() -> None:
    lost: Any = _Lost()
    lost.purse = purse = Purse(1, (0, "block"))
    purse._held_back.append(lambda: pytest.fail("it was sent before"))
    purse.give(lost, 0)
    assert not purse.has_held_back()
