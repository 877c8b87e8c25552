"""Every call raced with `close` from another thread: it works or says INVALID (system rules §2)."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    BusyError,
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    Message,
    OutOfRangeError,
    PeerClosedError,
    ShouldWaitError,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    fuse_message_pipes,
    wrap_fd,
)

ROUNDS = 60
BIG = 1 << 20  # copies of so much are made without the GIL
SEEDS = (1, 2)


@pytest.fixture(autouse=True)
def often_switching_threads() -> Iterator[None]:
    """The default of 5 ms would let a whole round pass without a switch."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def message_pipe() -> list[Handle]:
    return list(create_message_pipe())


def message_pipe_with_messages() -> list[Handle]:
    a, b = create_message_pipe()
    b.write_batch([b"x"] * 50)
    return [a, b]


def producer() -> list[Handle]:
    return list(create_data_pipe(64))


def consumer() -> list[Handle]:
    p, c = create_data_pipe(64)
    p.write(bytes(60))
    return [c, p]


def big_producer() -> list[Handle]:
    return list(create_data_pipe(BIG))


def big_consumer() -> list[Handle]:
    p, c = create_data_pipe(BIG)
    p.write(bytes(BIG))
    return [c, p]


def shared_buffer() -> list[Handle]:
    return [create_shared_buffer(64)]


def platform_handle() -> list[Handle]:
    return [wrap_fd(os.open("/dev/null", os.O_RDONLY))]


def write_handle(pipe: Any) -> None:
    a, b = create_message_pipe()
    with a, b:
        pipe.write(b"", [b])


def write_message(pipe: Any) -> None:
    with Message(b"x") as message:
        pipe.write_message(message)


def read(pipe: Any) -> None:
    pipe.read().close()


def read_batch(pipe: Any) -> None:
    for message in pipe.read_batch(3):
        message.close()


def send(handle: Any) -> None:
    """Send the handle itself; whoever loses the race finds it invalid."""
    a, b = create_message_pipe()
    with a, b:
        a.write(b"", [handle])


def attach(handle: Any) -> None:
    Message(b"", [handle]).close()


def fuse(pipe: Any) -> None:
    a, b = create_message_pipe()
    with a, b:
        fuse_message_pipes(pipe, a)


def two_phase_write(end: Any) -> None:
    window = end.begin_write()
    memoryview(window)[:] = bytes(window.nbytes)
    window.commit(1)


def two_phase_read(end: Any) -> None:
    window = end.begin_read()
    bytes(window)
    np.asarray(window)
    window.consume(1)


def map_and_touch(buffer: Any) -> None:
    with buffer.map() as mapping:
        memoryview(mapping)[0] = 1


def array_and_touch(buffer: Any) -> None:
    buffer.as_array(np.uint8)[:] = 1


def unwrap(handle: Any) -> None:
    os.close(handle.unwrap())


def unwrap_memory(handle: Any) -> None:
    os.close(handle.unwrap().fd)


def query(handle: Any) -> None:
    handle.query_signals_state()


# What else may come out: nothing to do just now, or the window was lost to `close` half-way.
USUAL = (ShouldWaitError, OutOfRangeError, FailedPreconditionError, BusyError, BufferError)

Race = tuple[Callable[[], list[Handle]], Callable[[Any], object]]

RACES: list[Race] = [
    (message_pipe, lambda h: h.write(b"x")),
    (message_pipe, lambda h: h.write_batch([b"x", b"y"])),
    (message_pipe, write_handle),
    (message_pipe, write_message),
    (message_pipe_with_messages, read),
    (message_pipe_with_messages, read_batch),
    (message_pipe, fuse),
    (producer, lambda h: h.write(b"x")),
    (producer, lambda h: h.write(bytes(70))),
    (producer, two_phase_write),
    (consumer, lambda h: h.read(1)),
    (consumer, lambda h: h.read(9, peek=True)),
    (consumer, lambda h: h.readinto(bytearray(3))),
    (consumer, lambda h: h.discard(1)),
    (consumer, lambda h: h.query()),
    (consumer, two_phase_read),
    (big_producer, lambda h: h.write(bytes(BIG))),
    (big_consumer, lambda h: h.read(peek=True)),
    (big_consumer, lambda h: h.readinto(bytearray(BIG), peek=True)),
    (shared_buffer, lambda h: h.duplicate().close()),
    (shared_buffer, lambda h: h.duplicate(read_only=True).close()),
    (shared_buffer, map_and_touch),
    (shared_buffer, array_and_touch),
    (shared_buffer, unwrap_memory),
    (platform_handle, unwrap),
    *[
        (make, call)
        for make in (message_pipe, producer, consumer, shared_buffer, platform_handle)
        for call in (query, send, attach, repr, hash)
    ],
]


def names(races: list[Race]) -> list[str]:
    return [f"{make.__name__}-{call.__name__}-{i}" for i, (make, call) in enumerate(races)]


def close_at_last(handle: Handle) -> None:
    """A view may be exported by the other thread for a moment: close again (public contract §4)."""
    while handle.is_valid:
        try:
            handle.close()
        except BufferError:
            continue


def race(subject: Handle, call: Callable[[Any], object], pause: int) -> list[BaseException]:
    """Call in one thread until the handle is gone, close in this one; gives unexpected errors."""
    started = threading.Barrier(2)
    unexpected: list[BaseException] = []

    def keep_calling() -> None:
        started.wait()
        while subject.is_valid:
            try:
                call(subject)
            except InvalidArgumentError:
                if subject.is_valid:  # then it was a real refusal
                    raise
            except USUAL:
                continue

    def guarded() -> None:
        try:
            keep_calling()
        except BaseException as error:
            unexpected.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    started.wait()
    for _ in range(pause):
        pass
    close_at_last(subject)
    thread.join()
    return unexpected


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("make", "call"),
    RACES,
    ids=[f"{m.__name__}-{c.__name__}-{i}" for i, (m, c) in enumerate(RACES)],
)
def test_call_raced_with_close(
    make: Callable[[], list[Handle]], call: Callable[[Any], object], seed: int
) -> None:
    """System rules §2: completes normally or INVALID_ARGUMENT; never a crash, never a leak."""
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        subject, *others = make()
        unexpected = race(subject, call, rng.randrange(300))
        for handle in others:
            handle.close()
        assert unexpected == []


PEER_RACES = [row for row in RACES[:19] if row[1] is not fuse]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("make", "call"), PEER_RACES, ids=names(PEER_RACES))
def test_call_raced_with_close_of_the_peer(
    make: Callable[[], list[Handle]], call: Callable[[Any], object], seed: int
) -> None:
    """System rules §4, §5.5: completes normally or fails with the peer, and is not disturbed."""
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        subject, peer = make()
        finished = threading.Event()
        unexpected: list[BaseException] = []

        def keep_calling(
            subject: Handle = subject,
            finished: threading.Event = finished,
            unexpected: list[BaseException] = unexpected,
        ) -> None:
            while not finished.is_set():
                try:
                    call(subject)
                except (PeerClosedError, ShouldWaitError):
                    continue
                except BaseException as error:
                    unexpected.append(error)

        thread = threading.Thread(target=keep_calling)
        thread.start()
        for _ in range(rng.randrange(300)):
            pass
        peer.close()
        finished.set()
        thread.join()
        assert subject.query_signals_state().peer_closed
        subject.close()
        assert unexpected == []
