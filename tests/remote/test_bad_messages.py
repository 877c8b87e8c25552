"""Bad messages are blamed on whom they came from; bad bytes cost their pipe (§13.9, §13.10)."""

from __future__ import annotations

import queue
import random
import socket
from collections.abc import Callable, Iterator

import pytest
from puppets import TIMEOUT, Puppet
from puppets.pipes import next_message, receive, wait_for

from mojo_seq import (
    BadMessageReport,
    Handle,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    Signals,
    _core,
    create_message_pipe,
)

MessagePipes = Callable[[], MessagePipe]
Reports = queue.SimpleQueue[BadMessageReport]

HEADER_BYTES = 32  # of a frame; the fifth is its type
RING_OFFER = 3


@pytest.fixture
def blamed(nothing_left_between_processes: None) -> Iterator[list[tuple[Puppet, Reports]]]:
    """Two children, and what is reported of each."""
    pairs = []
    for _ in range(2):
        reports = Reports()
        pairs.append((Puppet(on_error=reports.put), reports))
    yield pairs
    for child, reports in pairs:
        child.close()
        assert reports.empty()


Blamed = list[tuple[Puppet, Reports]]


def test_each_process_is_blamed_for_its_own(blamed: Blamed, message_pipes: MessagePipes) -> None:
    """System rules §13.10: two children, two errors."""
    for number, (child, reports) in enumerate(blamed):
        a, b = message_pipes()
        child.give(b).write(b"bad")
        with next_message(a) as message:
            message.notify_bad(f"reason {number}")
            assert bytes(message) == b"bad"  # it is usable still
        report = reports.get(timeout=TIMEOUT)
        assert (report.reason, report.pid) == (f"reason {number}", child.pid)


def test_the_writer_is_blamed_whoever_made_the_pipe(
    blamed: Blamed, message_pipes: MessagePipes
) -> None:
    """System rules §13.10: also when the pipe has been elsewhere, and in yet other hands."""
    (first, reports), (second, other_reports) = blamed
    a, b = message_pipes()
    b.write(b"by this process")
    there = first.give(b)
    there.write(b"by the first")
    moved = second.give(first.take(there))
    moved.write(b"by the second")
    for expected in (None, reports, other_reports):
        with next_message(a) as message:
            text = bytes(message).decode()
            if expected is not None:
                message.notify_bad(text)
                assert expected.get(timeout=TIMEOUT).reason == text
    assert reports.empty() and other_reports.empty()


def test_a_message_read_in_one_batch_with_others(
    blamed: Blamed, message_pipes: MessagePipes
) -> None:
    """System rules §13.10: each message knows where it came from."""
    (first, reports), (second, other_reports) = blamed
    a, b = message_pipes()
    there = first.give(b)
    there.write_batch([b"1", b"2"])
    moved = second.give(first.take(there))
    moved.write_batch([b"3", b"4"])
    messages = [next_message(a) for _ in range(4)]
    for message in messages:
        message.notify_bad(bytes(message).decode())
        message.close()
    assert [reports.get(timeout=TIMEOUT).reason for _ in range(2)] == ["1", "2"]
    assert [other_reports.get(timeout=TIMEOUT).reason for _ in range(2)] == ["3", "4"]


# ---- bytes that are no messages


def adopted(closing: list[Handle]) -> tuple[MessagePipeHandle, socket.socket]:
    """A pipe end, and a socket with which to lie to it."""
    ours, theirs = socket.socketpair()
    handle = _core.adopt_socket(ours.detach())
    closing.append(handle)
    return handle, theirs


def test_garbage_costs_the_pipe_and_nothing_else(
    child: Puppet, message_pipes: MessagePipes, closing: list[Handle]
) -> None:
    """System rules §13.9: never a crash; others go on."""
    rng = random.Random(1)
    header = len(recorded_frames([b""]))
    a, b = message_pipes()
    there = child.give(b)
    for number in range(300):
        handle, liar = adopted(closing)
        with liar:
            size = rng.choice([1, header - 1, header, header + 1, 100, 5_000])
            liar.sendall(rng.randbytes(size))
            if size < header:
                liar.close()  # until now it could have become a message
            wait_for(handle, Signals.PEER_CLOSED | Signals.READABLE)
            with pytest.raises(PeerClosedError):
                next_message(handle)
            assert handle.query_signals_state().peer_closed
        handle.close()
        a.write(str(number).encode())
        assert child.call(receive, there) == str(number).encode()


def test_a_message_cut_short_is_not_delivered(closing: list[Handle]) -> None:
    """System rules §13.9, §13.4: what came whole before it is."""
    for size in (10, 1_000, 50_000):
        recorded = recorded_frames([b"x" * size])
        for cut in {1, 8, len(recorded) // 2, len(recorded) - 1}:
            handle, liar = adopted(closing)
            with liar:
                liar.sendall(recorded + recorded[:cut])
            assert receive(handle) == b"x" * size
            with pytest.raises(PeerClosedError):
                next_message(handle)
            handle.close()


def recorded_frames(payloads: list[bytes]) -> bytes:
    """What a pipe end sends for these messages."""
    ours, theirs = socket.socketpair()
    with theirs, _core.adopt_socket(ours.detach()) as handle:
        for payload in payloads:
            handle.write(payload)
        theirs.settimeout(TIMEOUT)
        recorded = theirs.recv(1 << 20)
        theirs.setblocking(False)
        try:
            while more := theirs.recv(1 << 20):
                recorded += more
        except BlockingIOError:
            # Not the offer of a ring, which its descriptor came with.
            return recorded[HEADER_BYTES:] if recorded[4] == RING_OFFER else recorded
    raise AssertionError("closed by itself")


def test_every_single_bit_may_be_wrong(closing: list[Handle]) -> None:
    """System rules §13.9: a message, another message, or closure; no crash, and no waiting for a
    message that never comes if the rest of the stream is there."""
    recorded = recorded_frames([b"payload", b"second"])
    header = len(recorded_frames([b""]))
    for bit in range(header * 8):
        changed = bytearray(recorded)
        changed[bit // 8] ^= 1 << bit % 8
        handle, liar = adopted(closing)
        with liar:
            liar.sendall(changed)
        with pytest.raises(PeerClosedError):
            for _ in range(3):
                next_message(handle).close()
        handle.close()


def test_a_liar_that_sends_descriptors(closing: list[Handle]) -> None:
    """System rules §13.7, §13.9: what nobody announced is closed."""
    for count in (1, 3, 253):
        handle, liar = adopted(closing)
        a, b = socket.socketpair()
        with liar, a:
            socket.send_fds(liar, [bytes(100)], [b.fileno()] * count)
            b.close()
            with pytest.raises(PeerClosedError):
                next_message(handle)
            assert a.recv(1) == b""
        handle.close()


def test_a_writer_notices_a_liar(closing: list[Handle]) -> None:
    """Public contract §1: its own handles stay its own."""
    handle, liar = adopted(closing)
    with liar:
        liar.sendall(bytes(100))
        wait_for(handle, Signals.PEER_CLOSED)
        with pytest.raises(PeerClosedError):
            next_message(handle)
        a, b = create_message_pipe()
        with a, b:
            with pytest.raises(PeerClosedError):
                handle.write(b"", [b])
            assert b.is_valid
