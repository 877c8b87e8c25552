"""Messages between two processes: all of them, in order, one by one (system rules §13.1, §13.4)."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.pipes import (
    echo,
    next_message,
    receive,
    receive_many,
    receive_rest,
    send_numbers,
    wait_for,
)

from mojo_seq import (
    Message,
    MessagePipe,
    PeerClosedError,
    ShouldWaitError,
    Signals,
)

MessagePipes = Callable[[], MessagePipe]


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


def numbers(start: int, stop: int) -> list[bytes]:
    return [str(number).encode() for number in range(start, stop)]


def test_a_message_goes_there_and_another_comes_back(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §10: a pipe works the same whoever has its other end."""
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"ping")
    assert child.call(receive, there) == b"ping"
    there.write(b"pong")
    assert receive(pipe.handle0) == b"pong"


def test_messages_keep_their_order_in_both_directions(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §13.1, with both sides writing at the same time."""
    there = child.give(pipe.handle1)
    child.begin(send_numbers, there, 0, 5_000)
    send_numbers(pipe.handle0, 0, 5_000)
    child.finish()
    child.begin(receive_many, there, 5_000)
    assert receive_many(pipe.handle0, 5_000) == numbers(0, 5_000)
    assert child.finish() == numbers(0, 5_000)


def test_what_was_written_before_the_transfer_comes_first(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §4.5: queued messages travel with the endpoint, ahead of newer ones."""
    send_numbers(pipe.handle0, 0, 1_001)
    there = child.give(pipe.handle1)
    send_numbers(pipe.handle0, 1_001, 2_002)
    assert child.call(receive_many, there, 2_002) == numbers(0, 2_002)


def test_what_the_end_that_leaves_had_written_is_still_read_here(
    child: Puppet, pipe: MessagePipe
) -> None:
    """System rules §13.1: the other direction, of which nothing moves."""
    send_numbers(pipe.handle1, 0, 1_001)
    there = child.give(pipe.handle1)
    child.call(send_numbers, there, 1_001, 2_002)
    assert receive_many(pipe.handle0, 2_002) == numbers(0, 2_002)


def test_boundaries_and_contents_are_kept(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: also of empty messages, and whatever the sizes."""
    sizes = [0, 1, 0, 0, 7, 4_095, 4_096, 4_097, 0, 65_535, 65_536, 65_537, 1, 200_000, 0]
    rng = random.Random(1)
    payloads = [rng.randbytes(size) for size in sizes]
    there = child.give(pipe.handle1)
    child.begin(echo, there)
    for payload in payloads:
        pipe.handle0.write(payload)
    assert receive_many(pipe.handle0, len(payloads)) == payloads
    pipe.handle0.close()
    assert child.finish() == len(payloads)


def test_a_batch_arrives_as_single_messages(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: write_batch, read_batch."""
    there = child.give(pipe.handle1)
    pipe.handle0.write_batch(numbers(0, 1_000))
    assert child.call(receive_many, there, 1_000) == numbers(0, 1_000)
    there.write_batch(numbers(0, 1_000))
    received: list[bytes] = []
    while len(received) < 1_000:
        wait_for(pipe.handle0, Signals.READABLE)
        batch = pipe.handle0.read_batch(100)
        assert 1 <= len(batch) <= 100
        received += map(bytes, batch)
    assert received == numbers(0, 1_000)
    assert pipe.handle0.read_batch() == []


def test_reading_takes_no_more_than_asked_for(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: what a batch did not take is read next, also by another reader."""
    there = child.give(pipe.handle1)
    there.write_batch(numbers(0, 10))
    wait_for(pipe.handle0, Signals.READABLE)
    assert [bytes(message) for message in pipe.handle0.read_batch(3)] == numbers(0, 3)
    back = child.give(pipe.handle0)
    assert child.call(receive_many, back, 7) == numbers(3, 10)


def test_a_received_message_is_written_on_as_it_is(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §4.3, there and back again, large and small."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    for payload in (b"small", bytes(100_000)):
        a.write(payload)
    first, second = child.give(b), child.give(d)
    for payload in (b"small", bytes(100_000)):
        second.write_message(child.call(next_message, first))
        assert receive(c) == payload


# ---- the end of a pipe


def test_all_is_read_before_the_end_is_seen(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §13.4: queued and in-flight messages survive the sender's closing."""
    there = child.give(pipe.handle1)
    child.call(send_numbers, there, 0, 1_000)
    there.close()
    assert receive_rest(pipe.handle0) == numbers(0, 1_000)
    with pytest.raises(PeerClosedError):
        pipe.handle0.read()
    with pytest.raises(PeerClosedError):
        pipe.handle0.read_batch()


def test_all_is_read_after_the_sender_has_exited(
    puppets: Callable[[], Puppet], pipe: MessagePipe
) -> None:
    """System rules §13.4: nor does the sender have to be there any more."""
    child = puppets()
    there = child.give(pipe.handle1)
    child.call(send_numbers, there, 0, 100)
    child.close()
    assert receive_rest(pipe.handle0) == numbers(0, 100)


def test_an_empty_pipe_should_wait(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: reading never blocks."""
    there = child.give(pipe.handle1)
    with pytest.raises(ShouldWaitError):
        pipe.handle0.read()
    with pytest.raises(ShouldWaitError):
        there.read()
    assert there.read_batch() == []


def test_writing_to_a_closed_peer(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §4.2, once it is known; the message stays with the caller."""
    there = child.give(pipe.handle1)
    there.close()
    wait_for(pipe.handle0, Signals.PEER_CLOSED)
    with pytest.raises(PeerClosedError):
        pipe.handle0.write(b"x")
    with Message(b"kept") as message:
        with pytest.raises(PeerClosedError):
            pipe.handle0.write_message(message)
        assert bytes(message) == b"kept"


def test_unread_messages_do_not_make_a_closed_peer_writable(
    child: Puppet, pipe: MessagePipe
) -> None:
    """System rules §4.2: "even if this side still has unread messages"."""
    there = child.give(pipe.handle1)
    there.write(b"unread")
    there.close()
    wait_for(pipe.handle0, Signals.PEER_CLOSED)
    with pytest.raises(PeerClosedError):
        pipe.handle0.write(b"x")
    assert receive(pipe.handle0) == b"unread"


def test_closing_with_unread_messages_is_seen_at_the_other_end(
    child: Puppet, pipe: MessagePipe
) -> None:
    """System rules §4.2: what was not read is gone; what was written back is not."""
    there = child.give(pipe.handle1)
    pipe.handle0.write(b"never read")
    there.write(b"written before")
    there.close()
    assert receive_rest(pipe.handle0) == [b"written before"]
