"""Large messages, and many at once: shared segments and the queue behind the socket."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from puppets import Puppet
from puppets.arrays import add_one, fill, sum_of
from puppets.pipes import (
    echo,
    next_message,
    receive,
    receive_digest,
    receive_digests,
    send_growing,
)

from mojo_seq import Message, MessagePipe, Signals, wait

MIB = 1 << 20


@pytest.fixture
def pipe(message_pipes: Callable[[], MessagePipe]) -> MessagePipe:
    return message_pipes()


def pattern(nbytes: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(nbytes)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("mib", [1, 10, 20, 100])
def test_large_messages_each_way(child: Puppet, pipe: MessagePipe, mib: int) -> None:
    """System rules §13.5."""
    payload = pattern(mib * MIB)
    there = child.give(pipe.handle1)
    pipe.handle0.write(payload)
    assert child.call(receive_digest, there) == digest(payload)
    child.begin(echo, there)
    pipe.handle0.write(payload)
    with next_message(pipe.handle0) as message:
        assert message.payload == payload
    pipe.handle0.close()
    assert child.finish() == 1


# Where a sender may change its ways: pages, socket buffers, shared segments.
EDGES = [
    edge + delta
    for edge in (4_096, 16_384, 32_768, 65_536, 131_072, 212_992, 262_144, 1 << 20)
    for delta in (-33, -32, -1, 0, 1, 16)
]


def test_sizes_around_every_edge(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: contents and boundaries, whichever way a message takes."""
    payloads = [pattern(nbytes, nbytes) for nbytes in EDGES]
    there = child.give(pipe.handle1)
    for payload in payloads:
        pipe.handle0.write(payload)
    expected = [digest(payload) for payload in payloads]
    assert child.call(receive_digests, there, len(payloads)) == expected


def test_growing_messages_before_the_first_read(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §13.5: 1,001 of them, from nothing to 1,000 KiB/2."""
    there = child.give(pipe.handle1)
    send_growing(pipe.handle0, 1_001)
    child.begin(receive_digests, there, 1_001)
    expected = [digest(str(number).encode() * (number * 100)) for number in range(1_001)]
    assert child.finish() == expected


def test_growing_messages_before_the_transfer(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §4.5, §13.5: all of them travel with the endpoint."""
    send_growing(pipe.handle0, 1_001)
    there = child.give(pipe.handle1)
    expected = [digest(str(number).encode() * (number * 100)) for number in range(1_001)]
    assert child.call(receive_digests, there, 1_001) == expected


def test_growing_messages_spilled_by_a_child(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §13.5: writing never blocks, in the child neither."""
    there = child.give(pipe.handle1)
    child.call(send_growing, there, 1_001)
    for number in range(1_001):
        assert receive(pipe.handle0) == str(number).encode() * (number * 100)


def test_large_and_small_messages_keep_their_order(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §13.1: a small one never overtakes a large one."""
    payloads = [pattern(MIB, n) if n % 3 == 0 else str(n).encode() for n in range(90)]
    there = child.give(pipe.handle1)
    for payload in payloads:
        pipe.handle0.write(payload)
    assert child.call(receive_digests, there, 90) == [digest(payload) for payload in payloads]


def test_the_largest_message(child: Puppet, pipe: MessagePipe) -> None:
    """Public limit: 256 MiB, across the boundary too."""
    there = child.give(pipe.handle1)
    with Message.allocate(256 * MIB) as message:
        np.frombuffer(message.payload, np.uint8)[-1] = 7
        pipe.handle0.write_message(message)
    assert child.call(sum_of, there, "u1") == 7


# ---- arrays


def test_an_array_arrives_and_is_a_view(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: `np.frombuffer(msg.payload)` keeps the payload alive."""
    there = child.give(pipe.handle1)
    child.call(fill, there, 1_000_000)
    message = next_message(pipe.handle0)
    array = np.frombuffer(message.payload, np.float64)
    message.close()
    del message
    assert not array.flags.writeable and not array.flags.owndata
    assert np.array_equal(array, np.arange(1_000_000, dtype=np.float64))


def test_an_array_written_in_place_arrives(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: `allocate`, whose payload is writable until it is written."""
    there = child.give(pipe.handle1)
    message = Message.allocate(8_000_000)
    np.frombuffer(message.payload, np.int64)[:] = np.arange(1_000_000)
    pipe.handle0.write_message(message)
    assert child.call(sum_of, there, "i8") == 1_000_000 * 999_999 // 2


def test_arrays_there_and_back(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: fifty of 800 kB each, all different, in flight at the same time."""
    there = child.give(pipe.handle1)
    child.begin(add_one, there)
    arrays = [np.random.default_rng(seed).random(100_000) for seed in range(50)]
    for array in arrays:
        pipe.handle0.write(array)
    for array in arrays:
        with next_message(pipe.handle0) as message:
            assert np.array_equal(np.frombuffer(message.payload), array + 1)
    pipe.handle0.close()
    assert child.finish() == 50


def test_payloads_that_are_kept_are_not_overwritten(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: segments are recycled when nobody looks at them, not before."""
    there = child.give(pipe.handle1)
    kept = []
    for number in range(20):
        child.call(fill, there, 100_000 + number)
        message = next_message(pipe.handle0)
        kept.append(np.frombuffer(message.payload))
        message.close()
        del message
    for number, array in enumerate(kept):
        assert np.array_equal(array, np.arange(100_000 + number, dtype=np.float64))


def test_a_sender_may_change_its_array_after_writing(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: writing copies."""
    array = np.ones(200_000)
    there = child.give(pipe.handle1)
    for _ in range(10):
        pipe.handle0.write(array)
        array += 1
    assert [child.call(sum_of, there, "f8") for _ in range(10)] == [
        200_000.0 * number for number in range(1, 11)
    ]


def test_nobody_waits_for_a_reader_that_does_not_read(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §3: "never blocks; unbounded": 64 MiB, and nobody reads at all."""
    there = child.give(pipe.handle1)
    for number in range(16_384):
        pipe.handle0.write(number.to_bytes(4) * 1_024)
    assert wait(pipe.handle0, Signals.WRITABLE, 0)[1].writable
    expected = [digest(number.to_bytes(4) * 1_024) for number in range(16_384)]
    assert child.call(receive_digests, there, 16_384) == expected
