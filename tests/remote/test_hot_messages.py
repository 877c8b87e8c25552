"""Small messages of pipes in use: what is read without a message of the engine's in between is a
message like any other (public contract §3)."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest
from puppets import TIMEOUT, Puppet
from puppets.pipes import echo, next_message, receive, wait_for

from mojo_seq import (
    BadMessageReport,
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    NotFoundError,
    PeerClosedError,
    ShouldWaitError,
    Signals,
    _core,
    create_message_pipe,
)

WARM = 300  # messages; by then a pipe has rings if it may have any


@pytest.fixture
def pipe(child: Puppet, message_pipes: Callable[[], MessagePipe]) -> Iterator[MessagePipeHandle]:
    """A pipe that is in use, to a child that sends everything back."""
    near, far = message_pipes()
    child.begin(echo, child.give(far))
    for number in range(WARM):
        near.write(b"%d" % number)
        assert receive(near) == b"%d" % number
    yield near
    near.close()
    child.finish()


def come_back(pipe: MessagePipeHandle, payload: bytes = b"small") -> Message:
    pipe.write(payload)
    return next_message(pipe)


def read_all(pipe: MessagePipeHandle, count: int, most: int = 64) -> list[Message]:
    messages: list[Message] = []
    while len(messages) < count:
        wait_for(pipe, Signals.READABLE)
        messages += pipe.read_batch(min(most, count - len(messages)))
    return messages


def test_messages_of_every_size_and_with_handles_keep_their_order(
    pipe: MessagePipeHandle,
) -> None:
    chance = random.Random(1)
    sent = [bytes([i % 251]) * chance.choice((0, 1, 64, 4096, 4097, 70_000)) for i in range(400)]
    for number, payload in enumerate(sent):
        if number % 7 == 0:
            a, b = create_message_pipe()
            pipe.write(payload, [b])
            a.close()
        else:
            pipe.write(memoryview(payload) if number % 2 else payload)
    for number, payload in enumerate(sent):
        with next_message(pipe) as message:
            assert (bytes(message), len(message.handles)) == (payload, number % 7 == 0)


@pytest.mark.parametrize("most", [1, 5, 64, 1_000])
def test_batches_keep_order_and_boundaries(pipe: MessagePipeHandle, most: int) -> None:
    sent = [b"%d," % number * (number % 90) for number in range(3_000)]
    for start in range(0, len(sent), 100):
        pipe.write_batch(sent[start : start + 100])
    assert [bytes(message) for message in read_all(pipe, len(sent), most)] == sent


def test_a_batch_that_cannot_be_written_is_not_begun(pipe: MessagePipeHandle) -> None:
    for bad in ([b"a", "text"], (b"a", 7), [b"a", memoryview(bytes(8))[::2]]):
        with pytest.raises((TypeError, BufferError)):
            pipe.write_batch(bad)  # type: ignore[arg-type]
    pipe.write_batch([b"a", bytearray(b"b")])
    pipe.write_batch(number.to_bytes(1, "big") for number in range(2))
    assert [bytes(each) for each in read_all(pipe, 4)] == [b"a", b"b", b"\0", b"\1"]


def test_there_is_nothing_to_read_twice(pipe: MessagePipeHandle) -> None:
    come_back(pipe)
    with pytest.raises(ShouldWaitError):
        pipe.read()
    assert pipe.read_batch() == []


def test_views_outlive_the_message_and_the_pipe(pipe: MessagePipeHandle) -> None:
    message = come_back(pipe, b"some bytes")
    view = message.payload
    assert (view.readonly, view.format, view.shape) == (True, "B", (10,))
    message.close()
    for _ in range(100):
        come_back(pipe, b"other bytes")
    pipe.close()
    gc.collect()
    assert bytes(view) == b"some bytes"
    with pytest.raises(InvalidArgumentError):
        bytes(message)
    message.close()


def test_it_is_like_any_received_message(pipe: MessagePipeHandle) -> None:
    message = come_back(pipe)
    assert message.is_serialized and len(message) == 5 and repr(message) == "<Message 5 bytes>"
    assert message.handles == () and message.take_handles() == []
    with pytest.raises(NotFoundError):
        message.context  # noqa: B018
    with pytest.raises(FailedPreconditionError):
        message.extend(10)
    with pytest.raises(FailedPreconditionError):
        message.serialize()
    with pytest.raises(TypeError):
        message.__init__(b"again")  # type: ignore[misc]
    taken = message.take_payload()
    taken[0] = 0x53
    assert bytes(taken) == b"Small"
    with pytest.raises(InvalidArgumentError):
        message.payload  # noqa: B018


def test_it_can_be_passed_on(pipe: MessagePipeHandle) -> None:
    near, far = create_message_pipe()
    with near, far:
        message = come_back(pipe, b"to a neighbour")
        near.write_message(message)
        with pytest.raises(InvalidArgumentError):
            len(message)
        assert bytes(far.read()) == b"to a neighbour"
        with_handle = come_back(pipe, b"with a handle")
        pipe.write_message(with_handle, [far])
        with next_message(pipe) as message:
            assert (bytes(message), len(message.handles)) == (b"with a handle", 1)
    pipe.write_message(come_back(pipe, b"and back"))
    assert receive(pipe) == b"and back"


def test_it_is_counted_while_it_lives(pipe: MessagePipeHandle) -> None:
    before = _core.live_objects()["message"]
    pipe.write_batch([b"x"] * 100)
    messages = read_all(pipe, 100)
    assert _core.live_objects()["message"] == before + 100
    messages.pop().close()
    del messages[50:]
    assert _core.live_objects()["message"] == before + 50
    unread, closed = create_message_pipe()
    closed.close()
    with unread, pytest.raises(PeerClosedError):
        unread.write_message(messages[0])
    assert bytes(messages[0]) == b"x"
    messages.clear()
    assert _core.live_objects()["message"] == before


def test_a_bad_one_is_reported_to_the_process_that_wrote_it(closing: list[Handle]) -> None:
    reports: SimpleQueue[BadMessageReport] = SimpleQueue()
    child = Puppet(on_error=reports.put)
    near, far = create_message_pipe()
    closing.append(near)
    child.begin(echo, child.give(far))
    for _ in range(WARM):
        message = come_back(near)
    message.notify_bad("no good")
    report = reports.get(timeout=TIMEOUT)
    assert (report.pid, report.reason) == (child.pid, "no good")
    near.close()
    child.finish()
    child.close()
