"""What children do with data pipes."""

from __future__ import annotations

import hashlib
import random

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    wait,
)
from puppets.wire import TIMEOUT

R, W = Signals.READABLE, Signals.WRITABLE


def stream_of(nbytes: int, seed: int) -> tuple[int, str]:
    """How `consume` tells of the bytes that `produce` writes."""
    return nbytes, hashlib.sha256(random.Random(seed).randbytes(nbytes)).hexdigest()


def produce(producer: DataPipeProducerHandle, nbytes: int, *, seed: int) -> None:
    """Writes pseudo-random bytes in pieces of any size, as there is room."""
    rng = random.Random(seed)
    rest = memoryview(rng.randbytes(nbytes))
    element = producer.element_size
    while rest:
        piece = rest[: rng.randrange(1, 2 * producer.capacity // element + 1) * element]
        try:
            rest = rest[producer.write(piece) :]
        except ShouldWaitError:
            wait(producer, W, TIMEOUT)


def consume(consumer: DataPipeConsumerHandle, nbytes: int | None = None) -> tuple[int, str]:
    """Reads so many bytes, or all until the producer is gone: how many, and their SHA-256."""
    rng = random.Random(0)
    element = consumer.element_size
    digest, count = hashlib.sha256(), 0
    while nbytes is None or count < nbytes:
        amount = rng.randrange(1, 2 * consumer.capacity // element + 1) * element
        try:
            data = consumer.read(amount if nbytes is None else min(amount, nbytes - count))
        except ShouldWaitError:
            wait(consumer, R, TIMEOUT)
            continue
        except PeerClosedError:
            break
        digest.update(data)
        count += len(data)
    return count, digest.hexdigest()


def produce_windows(producer: DataPipeProducerHandle, nbytes: int, *, seed: int) -> None:
    """Like `produce`, in two-phase writes of which not all is committed."""
    rng = random.Random(seed)
    data = memoryview(rng.randbytes(nbytes))
    element = producer.element_size
    while data:
        try:
            window = producer.begin_write()
        except ShouldWaitError:
            wait(producer, W, TIMEOUT)
            continue
        with window, memoryview(window) as view:
            elements = rng.randint(0, min(len(view), len(data)) // element)
            amount = elements * element
            view[:amount] = data[:amount]
            view.release()
            window.commit(amount)
        data = data[amount:]


def consume_windows(consumer: DataPipeConsumerHandle, nbytes: int | None = None) -> tuple[int, str]:
    """Like `consume`, in two-phase reads of which not all is consumed."""
    rng = random.Random(1)
    element = consumer.element_size
    digest, count = hashlib.sha256(), 0
    while nbytes is None or count < nbytes:
        try:
            window = consumer.begin_read()
        except ShouldWaitError:
            wait(consumer, R, TIMEOUT)
            continue
        except PeerClosedError:
            break
        with window, memoryview(window) as view:
            amount = rng.randint(0, len(view) // element) * element
            digest.update(view[:amount])
            view.release()
            window.consume(amount)
        count += amount
    return count, digest.hexdigest()


def read_all(consumer: DataPipeConsumerHandle, nbytes: int) -> bytes:
    """So many bytes, as they come."""
    data = b""
    while len(data) < nbytes:
        try:
            data += consumer.read(nbytes - len(data))
        except ShouldWaitError:
            wait(consumer, R, TIMEOUT)
    return data


def fill_up(pipe: MessagePipeHandle, producer: DataPipeProducerHandle) -> None:
    """Zeros as many as fit; then the process ends."""
    producer.write(bytes(producer.capacity), all_or_none=True)
