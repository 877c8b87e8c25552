"""Two sides that do something with each other until one of them is killed.

Each function takes its end of a pipe, goes on until the other end is closed, checks all it gets,
and returns how far it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    Message,
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    create_message_pipe,
    wait,
)
from puppets.pipes import next_message, wait_for
from puppets.wire import TIMEOUT

LARGE = 300_000
CREDIT = 200  # messages under way at most, so that a slow reader costs no memory


def write_small(pipe: MessagePipeHandle) -> int:
    return _write(pipe, lambda number: pipe.write(number.to_bytes(8)))


def write_large(pipe: MessagePipeHandle) -> int:
    return _write(pipe, lambda number: pipe.write(number.to_bytes(8) * (LARGE // 8)))


def write_in_place(pipe: MessagePipeHandle) -> int:
    def write(number: int) -> None:
        with Message.allocate(LARGE) as message:
            np.frombuffer(message.payload, ">u8")[:] = number
            pipe.write_message(message)

    return _write(pipe, write)


def write_batches(pipe: MessagePipeHandle) -> int:
    return _write(
        pipe,
        lambda number: pipe.write_batch(
            [each.to_bytes(8) for each in range(number * 10, number * 10 + 10)]
        ),
    )


def write_handles(pipe: MessagePipeHandle) -> int:
    """All pipes whose other ends it has sent are closed in the end: nobody has them any more."""
    kept: list[MessagePipeHandle] = []

    def write(number: int) -> None:
        pairs = [create_message_pipe() for _ in range(3)]
        kept.extend(pair.handle0 for pair in pairs)
        try:
            pipe.write(number.to_bytes(8), [pair.handle1 for pair in pairs])
        finally:
            for pair in pairs:
                pair.handle1.close()  # if it was not sent

    count = _write(pipe, write)
    for each in kept:
        wait_for(each, Signals.PEER_CLOSED)
        each.close()
    return count


def _write(pipe: MessagePipeHandle, write: Callable[[int], None]) -> int:
    """One number after the other, as the reader acknowledges them."""
    number = acknowledged = 0
    try:
        while True:
            write(number)
            number += 1
            if number - acknowledged >= CREDIT:
                next_message(pipe).close()
                acknowledged += CREDIT // 2
    except PeerClosedError:
        return number


def read_numbers(pipe: MessagePipeHandle) -> int:
    """They come in order, without a gap, each the same all through its payload."""
    return _read(pipe)


def read_batches(pipe: MessagePipeHandle) -> int:
    number = 0
    try:
        while True:
            messages = pipe.read_batch(7)
            if not messages:
                wait(pipe, Signals.READABLE, TIMEOUT)
            for message in messages:
                assert bytes(message) == number.to_bytes(8)
                number += 1
                if number % (CREDIT * 5) == 0:
                    pipe.write(b"go on")
    except PeerClosedError:
        return number


def read_handles(pipe: MessagePipeHandle) -> int:
    """All pipe ends it has got are closed in the end, since their peers are."""
    kept: list[Handle] = []
    count = _read(pipe, kept)
    for each in kept:
        wait_for(each, Signals.PEER_CLOSED)
        each.close()
    return count


def _read(pipe: MessagePipeHandle, kept: list[Handle] | None = None) -> int:
    number = 0
    try:
        while True:
            with next_message(pipe) as message:
                values = np.frombuffer(message.payload, ">u8")
                assert values[0] == number and (values == number).all()
                if kept is not None:
                    kept += message.take_handles()
                del values
            number += 1
            if number % (CREDIT // 2) == 0:
                pipe.write(b"go on")
    except PeerClosedError:
        return number


def bounce(pipe: MessagePipeHandle, first: MessagePipeHandle | None = None) -> int:
    """Sends on each pipe end that comes, with one message more in it."""
    count = 0
    try:
        if first is not None:
            pipe.write(b"", [first])
        while True:
            with next_message(pipe) as message:
                (end,) = message.take_handles()
            assert isinstance(end, MessagePipeHandle)
            with end:
                end.write(count.to_bytes(8))
                pipe.write(b"", [end])
            count += 1
    except PeerClosedError:
        return count


def produce(producer: DataPipeProducerHandle) -> int:
    """The bytes 0 to 250, over and over."""
    data = memoryview(bytes(range(251)) * 40)
    count = 0
    try:
        while True:
            try:
                count += producer.write(data[count % 251 :])
            except ShouldWaitError:
                wait(producer, Signals.WRITABLE, TIMEOUT)
    except PeerClosedError:
        return count


def produce_windows(producer: DataPipeProducerHandle) -> int:
    data = bytes(range(251)) * 20
    count = 0
    try:
        while True:
            try:
                with producer.begin_write() as window, memoryview(window) as view:
                    amount = min(len(view), 4_000)
                    view[:amount] = data[count % 251 :][:amount]
                    view.release()
                    window.commit(amount)
                count += amount
            except ShouldWaitError:
                wait(producer, Signals.WRITABLE, TIMEOUT)
    except PeerClosedError:
        return count


def consume(consumer: DataPipeConsumerHandle) -> int:
    return _consume(consumer, lambda: consumer.read(3_000))


def consume_windows(consumer: DataPipeConsumerHandle) -> int:
    def read() -> bytes:
        with consumer.begin_read() as window:
            data = bytes(window)
            window.consume(len(data))
        return data

    return _consume(consumer, read)


def _consume(consumer: DataPipeConsumerHandle, read: Callable[[], bytes]) -> int:
    count = 0
    try:
        while True:
            try:
                data = read()
            except ShouldWaitError:
                wait(consumer, Signals.READABLE, TIMEOUT)
                continue
            expected = bytes(range(251)) * (len(data) // 251 + 2)
            assert data == expected[count % 251 :][: len(data)]
            count += len(data)
    except PeerClosedError:
        return count


class Duel(NamedTuple):
    """Which functions meet."""

    first: Callable[[Any], int]
    second: Callable[[Any], int]
    is_data_pipe: bool = False


DUELS = {
    "small messages": Duel(write_small, read_numbers),
    "large messages": Duel(write_large, read_numbers),
    "messages in place": Duel(write_in_place, read_numbers),
    "batches": Duel(write_batches, read_batches),
    "handles": Duel(write_handles, read_handles),
    "bytes": Duel(produce, consume, is_data_pipe=True),
    "windows": Duel(produce_windows, consume_windows, is_data_pipe=True),
}
