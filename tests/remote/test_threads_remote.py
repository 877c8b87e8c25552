"""Several threads at the ends of pipes between processes (public contract §2: thread-safe)."""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from puppets import Puppet
from puppets.pipes import receive_handle, receive_many, receive_rest, send_numbers
from puppets.threads import (
    close_all_that_come,
    receive_until,
    take_some,
    write_in_threads,
)

from mojo_seq import (
    InvalidArgumentError,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    ShouldWaitError,
    create_message_pipe,
)

MessagePipes = Callable[[], MessagePipe]


def in_threads(count: int, body: Callable[[int], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def check_writers(payloads: list[bytes], writers: int, count: int) -> None:
    """Of each writer all, in its order; no message is torn."""
    seen = defaultdict[int, int](int)
    for payload in payloads:
        writer, number = payload[0], int.from_bytes(payload[1:5])
        assert number == seen[writer]
        assert payload[5:] == bytes([writer]) * (len(payload) - 5)
        seen[writer] += 1
    assert seen == dict.fromkeys(range(writers), count)


def test_many_threads_write(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §13.1: small and large, spilled and not, each thread's in its order."""
    a, b = message_pipes()
    child.begin(write_in_threads, child.give(b), 6, 500)
    received = receive_rest(a)
    child.finish()
    check_writers(received, 6, 500)


def test_many_threads_write_while_the_peer_moves(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §13.1: from local to remote and back under their hands; nothing is lost."""
    a, b = message_pipes()
    writer = threading.Thread(target=write_in_threads, args=(a, 4, 2_000))
    writer.start()
    received: list[bytes] = []
    moving: MessagePipeHandle = b
    while writer.is_alive():
        received += map(bytes, moving.read_batch(50))
        there = child.give(moving)
        received += child.call(take_some, there, 50)
        moving = child.take(there)
    writer.join()
    with moving:
        received += receive_rest(moving)
    check_writers(received, 4, 2_000)


def test_threads_write_at_both_ends_while_both_move(
    child: Puppet, message_pipes: MessagePipes
) -> None:
    """System rules §13.3: writers that lose their end get it again, and go on."""
    ends: list[MessagePipeHandle] = list(message_pipes())
    written = [0, 0]
    locks = [threading.Lock(), threading.Lock()]
    stop = threading.Event()

    def write(side: int) -> None:
        while not stop.is_set():
            with locks[side]:
                ends[side].write(str(written[side]).encode())
                written[side] += 1
            time.sleep(0)  # locks are not fair

    received: tuple[list[bytes], list[bytes]] = ([], [])
    threads = in_threads(2, write)
    for turn in range(60):
        side = turn % 2
        with locks[side]:
            received[side].extend(take_some(ends[side], 100_000))
            there = child.give(ends[side])
            received[side].extend(child.call(take_some, there, 10))
            ends[side] = child.take(there)
    stop.set()
    for thread in threads:
        thread.join()
    for side in (0, 1):
        expected = [str(number).encode() for number in range(written[1 - side])]
        received[side].extend(receive_many(ends[side], len(expected) - len(received[side])))
        assert received[side] == expected
    for end in ends:
        end.close()


def test_sending_an_end_that_others_use(child: Puppet, message_pipes: MessagePipes) -> None:
    """Public contract §2: they are told that it is gone, and what they have done counts."""
    for _ in range(20):
        (a, b), (carrier, far) = message_pipes(), message_pipes()
        there = child.give(far)
        send_numbers(a, 0, 200)
        counts = [0, 0]

        def use(number: int, end: MessagePipeHandle = b, counts: list[int] = counts) -> None:
            try:
                while True:
                    if number == 0:
                        end.write(b"x")
                    else:
                        end.read().close()
                    counts[number] += 1
            except (InvalidArgumentError, ShouldWaitError):
                return

        threads = in_threads(2, use)
        carrier.write(b"", [b])
        for thread in threads:
            thread.join()
        arrived = child.call(receive_handle, there)
        for end in (a, arrived):
            end.write(b"end")
        assert receive_until(a, b"end") == [b"x"] * counts[0]
        expected = [str(number).encode() for number in range(counts[1], 200)]
        assert child.call(receive_until, arrived, b"end") == expected


def test_closing_an_end_that_others_use(child: Puppet, message_pipes: MessagePipes) -> None:
    """Public contract §2: every use ends, none crashes; the other side sees a prefix of each."""
    for _ in range(20):
        a, b = message_pipes()
        there = child.give(b)

        def use(number: int, end: MessagePipeHandle = a) -> None:
            large = bytes([number]) * 10_000
            try:
                # Where the thread that closes has to wait for long, empty ones do as well.
                for count in itertools.count():
                    end.write(large if count < 30 or count % 50 == 0 else b"")
            except (InvalidArgumentError, PeerClosedError):
                return

        child.begin(receive_rest, there)
        threads = in_threads(3, use)
        a.close()
        for thread in threads:
            thread.join()
        for payload in child.finish():
            assert payload == payload[:1] * 10_000
        there.close()


def test_threads_that_open_and_close(child: Puppet, message_pipes: MessagePipes) -> None:
    """Public contract §2: pipes come and go by the thousand while others do the same."""
    a, b = message_pipes()
    child.begin(close_all_that_come, child.give(b))

    def make(number: int) -> None:
        for _ in range(300):
            near, far = create_message_pipe()
            with near, far:
                near.write(str(number).encode())
                a.write(b"", [far])

    for thread in in_threads(5, make):
        thread.join()
    a.close()
    assert child.finish() == 1_500
