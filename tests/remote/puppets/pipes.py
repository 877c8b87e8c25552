"""What children do with message pipes."""

from __future__ import annotations

import hashlib
import time

from mojo_seq import (
    Handle,
    Message,
    MessagePipeHandle,
    PeerClosedError,
    Result,
    ShouldWaitError,
    Signals,
    SignalsState,
    _core,
    wait,
)
from puppets.wire import TIMEOUT


def wait_for(handle: Handle, signals: Signals) -> SignalsState:
    """The state in which one of the signals was satisfied."""
    result, state = wait(handle, signals, TIMEOUT)
    assert result is Result.OK, (result, state)
    return state


def next_message(pipe: MessagePipeHandle) -> Message:
    """Waits for a message. Raises: PeerClosedError: there will be none."""
    while True:
        try:
            return pipe.read()
        except ShouldWaitError:
            result, _ = wait(pipe, Signals.READABLE, TIMEOUT)
            if result is Result.DEADLINE_EXCEEDED:
                raise


def receive(pipe: MessagePipeHandle) -> bytes:
    """The payload of the next message, which comes without handles."""
    with next_message(pipe) as message:
        assert message.handles == ()
        return bytes(message)


def receive_handles(pipe: MessagePipeHandle) -> list[Handle]:
    """The handles of the next message. In a child they stay there."""
    with next_message(pipe) as message:
        return message.take_handles()


def receive_handle(pipe: MessagePipeHandle) -> Handle:
    (handle,) = receive_handles(pipe)
    return handle


def receive_many(pipe: MessagePipeHandle, count: int) -> list[bytes]:
    return [receive(pipe) for _ in range(count)]


def receive_rest(pipe: MessagePipeHandle) -> list[bytes]:
    """All payloads until the peer is closed."""
    received = []
    while True:
        try:
            received.append(receive(pipe))
        except PeerClosedError:
            return received


def send_numbers(pipe: MessagePipeHandle, start: int, stop: int) -> None:
    """One message each."""
    for number in range(start, stop):
        pipe.write(str(number).encode())


def echo(pipe: MessagePipeHandle) -> int:
    """Sends all back, with the handles, until the peer is closed; how many there were."""
    count = 0
    while True:
        try:
            pipe.write_message(next_message(pipe))
        except PeerClosedError:
            return count
        count += 1


def receive_digest(pipe: MessagePipeHandle) -> str:
    """SHA-256 of the next payload."""
    with next_message(pipe) as message:
        return hashlib.sha256(message.payload).hexdigest()


def receive_digests(pipe: MessagePipeHandle, count: int) -> list[str]:
    return [receive_digest(pipe) for _ in range(count)]


def send_growing(pipe: MessagePipeHandle, count: int) -> None:
    """Messages of nothing, some bytes, … some hundred thousand bytes."""
    for number in range(count):
        pipe.write(str(number).encode() * (number * 100))


def send_after(pipe: MessagePipeHandle, delay: float) -> None:
    """Lets the other side fall asleep first, as a rule."""
    time.sleep(delay)
    pipe.write(b"x")


def send_and_close(pipe: MessagePipeHandle, count: int) -> None:
    send_numbers(pipe, 0, count)
    pipe.close()


def write_number_to_each(pipes: list[MessagePipeHandle]) -> None:
    for number, pipe in enumerate(pipes):
        pipe.write(str(number).encode())


def count_rest(pipe: MessagePipeHandle, answer: MessagePipeHandle) -> None:
    """Tells how many messages come until the peer is closed."""
    answer.write(str(len(receive_rest(pipe))).encode())


def count_round_trips(pipe: MessagePipeHandle, caller: MessagePipeHandle, count: int) -> None:
    """When the caller says so: to somebody who echoes, and back. Then the caller is told."""
    assert receive(caller) == b"go"
    for number in range(count):
        pipe.write(str(number).encode())
        assert receive(pipe) == str(number).encode()
    pipe.close()
    caller.write(f"{count} round trips".encode())


def read_away(pipe: MessagePipeHandle, count: int) -> None:
    for _ in range(count):
        next_message(pipe).close()


def send_zeros(pipe: MessagePipeHandle, count: int, nbytes: int) -> None:
    for _ in range(count):
        pipe.write(bytes(nbytes))


def flush(timeout: float) -> None:
    """Until all that was written has left the process."""
    assert _core.flush(timeout) == 0
