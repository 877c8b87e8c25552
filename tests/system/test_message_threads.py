"""A message in two threads' hands: against the rules (system rules §3), and still never a crash."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from mojo_seq import (
    Handle,
    Message,
    MessagePipeHandle,
    MojoError,
    create_message_pipe,
)

ROUNDS = 60
Call = Callable[[Message, MessagePipeHandle], object]


@pytest.fixture(autouse=True)
def often_switching_threads() -> Iterator[None]:
    """The default of 5 ms would let a whole round pass without a switch."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def close_all(handles: list[Handle]) -> object:
    for handle in handles:
        handle.close()
    return handles


CALLS: dict[str, Call] = {
    "payload": lambda m, _: bytes(m.payload),
    "bytes": lambda m, _: bytes(m),
    "len": lambda m, _: len(m),
    "handles": lambda m, _: [handle.query_signals_state() for handle in m.handles],
    "take_handles": lambda m, _: close_all(m.take_handles()),
    "extend": lambda m, _: m.extend(200_000),
    "repr": lambda m, _: repr(m),
    "write": lambda m, pipe: pipe.write_message(m),
    "close": lambda m, _: m.close(),
    "serialize": lambda m, _: m.serialize(),
    "take_context": lambda m, _: m.take_context(),
}
ENDS = ["close", "write", "take_handles", "serialize", "take_context"]


def built(handle: MessagePipeHandle) -> Message:
    return Message(b"x" * 100_000, [handle])


def received(handle: MessagePipeHandle) -> Message:
    a, b = create_message_pipe()
    with a, b:
        a.write(b"x" * 100_000, [handle])
        return b.read()


def lazy(handle: MessagePipeHandle) -> Message:
    return Message.from_object(handle, lambda handle: (b"", [handle]))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("make", [built, received, lazy])
def test_message_raced_with_its_end(
    make: Callable[[MessagePipeHandle], Message], end: str, call: Call
) -> None:
    """Whoever comes second finds it written, closed or changed; nothing is freed twice or lost."""
    for pause in range(ROUNDS):
        (a, b), (c, d) = create_message_pipe(), create_message_pipe()
        message = make(d)
        started = threading.Barrier(2)

        def keep_calling(
            message: Message = message,
            started: threading.Barrier = started,
            a: MessagePipeHandle = a,
        ) -> None:
            started.wait()
            for _ in range(5):
                with contextlib.suppress(MojoError, BufferError):
                    call(message, a)

        thread = threading.Thread(target=keep_calling)
        thread.start()
        started.wait()
        for _ in range(pause * 3):
            pass
        with contextlib.suppress(MojoError, BufferError):
            CALLS[end](message, a)
        thread.join()
        message.close()
        for handle in (a, b, c, d):
            handle.close()


def test_message_written_by_two_threads_arrives_once() -> None:
    """Public contract §3: consumed on success, so only one of them can succeed."""
    for _ in range(200):
        (a, b), (c, d) = create_message_pipe(), create_message_pipe()
        message = Message(b"once", [d])
        written: list[int] = []
        started = threading.Barrier(2)

        def write(
            number: int,
            message: Message = message,
            started: threading.Barrier = started,
            written: list[int] = written,
            a: MessagePipeHandle = a,
        ) -> None:
            started.wait()
            with contextlib.suppress(MojoError):
                a.write_message(message)
                written.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(written) == 1
        with b.read() as arrived:
            assert bytes(arrived) == b"once"
            assert len(arrived.handles) == 1
        assert b.read_batch() == []
        for handle in (a, b, c):
            handle.close()
