"""A process is killed in the middle of something; the other side goes on (system rules §13.6)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.duels import DUELS, bounce
from puppets.nests import nest
from puppets.pipes import echo, receive, receive_rest, send_numbers, wait_for
from puppets.puppet import itself

from mojo_seq import (
    Handle,
    Message,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Signals,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    wrap_fd,
)

MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]
PC = Signals.PEER_CLOSED
ROUNDS = 6


def pause(rng: random.Random) -> None:
    """When the victim is struck is what these tests vary: most often while it is at work."""
    time.sleep(rng.choice([0.001, 0.01, 0.03]) * rng.random())


@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("name", DUELS)
def test_the_survivor_sees_the_end(puppets: Puppets, name: str, killed: int) -> None:
    """System rules §13.4, §13.6: nothing wrong before it, PEER_CLOSED at it, nothing left after."""
    rng = random.Random(f"{name} {killed}")
    duel = DUELS[name]
    sides = (duel.first, duel.second)
    survivor = puppets()
    victims = [puppets() for _ in range(ROUNDS)]
    for each in (survivor, *victims):
        each.call(itself, duel)  # it has imported what it needs
    done = 0
    for victim in victims:
        ends = create_data_pipe(5_000) if duel.is_data_pipe else create_message_pipe()
        at_victim, at_survivor = victim.give(ends[killed]), survivor.give(ends[1 - killed])
        victim.begin(sides[killed], at_victim)
        survivor.begin(sides[1 - killed], at_survivor)
        pause(rng)
        victim.kill()
        done += survivor.finish()
        at_survivor.close()
    assert done > 0


def test_an_end_that_bounces_is_here_or_closed(
    puppets: Puppets, message_pipes: MessagePipes
) -> None:
    """System rules §13.6: wherever it was when the process died, its peer learns of it."""
    rng = random.Random(7)
    survivor, *victims = (puppets() for _ in range(ROUNDS * 2))
    for each in (survivor, *victims):
        each.call(itself, bounce)
    done = 0
    for victim in victims:
        (watched, moving), (carrier, far) = message_pipes(), message_pipes()
        at_victim, at_survivor = victim.give(far), survivor.give(carrier)
        victim.begin(bounce, at_victim)
        survivor.begin(bounce, at_survivor, moving)
        pause(rng)
        victim.kill()
        survivor.finish()
        at_survivor.close()
        received = receive_rest(watched)
        assert received == [(number // 2).to_bytes(8) for number in range(len(received))]
        done += len(received)
    assert done > 0


def test_killed_before_it_has_begun(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §13.7: what was sent to a process that never read anything is closed."""
    rng = random.Random(8)
    for _ in range(ROUNDS):
        a, b = message_pipes()
        child = Puppet()
        with child.process:
            child.begin(receive, b)  # it may be reading this, or still importing
            pause(rng)
            child.kill()
        wait_for(a, PC)


def test_killed_with_everything_in_its_hands(
    puppets: Puppets, closing: list[Handle], message_pipes: MessagePipes
) -> None:
    """System rules §13.6: every kind of handle, used and unused, in messages and out of them."""
    a, b = message_pipes()
    (producer, consumer), (producer2, consumer2) = create_data_pipe(), create_data_pipe()
    closing += [producer, consumer, producer2, consumer2]
    outer, inner = message_pipes()
    child = puppets()
    for handle in (b, consumer, producer2, create_shared_buffer(100)):
        child.give(handle)
    child.give(nest(inner, 20))
    child.kill()
    for handle in (a, producer, consumer2, outer):
        wait_for(handle, PC)
    with pytest.raises(PeerClosedError):
        a.write(b"x")
    with pytest.raises(PeerClosedError):
        producer.write(b"x")


def test_killed_between_two_others(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §13.6, §13.8: who has only passed a pipe on is not missed."""
    maker, user, other = puppets(), puppets(), puppets()
    made = maker.call(create_message_pipe)
    first, second = (maker.take(end) for end in made)
    at_user, at_other = user.give(first), other.give(second)
    maker.kill()
    user.begin(echo, at_user)
    other.call(send_numbers, at_other, 0, 100)
    for number in range(100):
        assert other.call(receive, at_other) == str(number).encode()
    at_other.close()
    assert user.finish() == 100


def test_killed_with_a_pipe_on_its_way(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §13.6: in a message that nobody has read when its last holder dies."""
    for depth in (1, 5):
        sender, receiver = puppets(), puppets()
        (a, b), (carrier, far) = message_pipes(), message_pipes()
        at_sender = sender.give(carrier)
        receiver.give(far)
        sender.call(MessagePipeHandle.write, at_sender, b"", [sender.give(nest(b, depth))])
        sender.kill()
        assert not a.query_signals_state().peer_closed
        receiver.kill()
        wait_for(a, PC)


def test_a_sender_killed_right_after_writing(puppets: Puppets, message_pipes: MessagePipes) -> None:
    """System rules §13.4: what the kernel has of it arrives, whole messages only, and in order."""
    for size in (10, 1_000, 50_000, 70_000, 500_000):
        a, b = message_pipes()
        child = puppets()
        there = child.give(b)
        for number in range(100):
            there.write(bytes([number]) * size)
        child.kill()
        received = receive_rest(a)
        assert received == [bytes([number]) * size for number in range(len(received))]
        assert len(received) >= 1


def test_descriptors_sent_to_a_process_that_dies_are_closed(puppets: Puppets) -> None:
    """System rules §13.7: of open files, too."""
    child = puppets()
    readable, writable = os.pipe()
    child.give(wrap_fd(writable))
    child.kill()
    with os.fdopen(readable, "rb") as file:
        assert file.read() == b""


def test_a_large_message_is_kept_by_its_reader(
    puppets: Puppets, message_pipes: MessagePipes
) -> None:
    """Public contract §3: its memory does not belong to the process that wrote it."""
    a, b = message_pipes()
    child = puppets()
    there = child.give(b)
    there.write(bytes(range(256)) * 4_096)
    wait_for(a, Signals.READABLE)
    with a.read() as message:
        child.kill()
        assert message.payload == bytes(range(256)) * 4_096
        with Message(message.payload) as copy:
            assert len(copy) == 1 << 20
