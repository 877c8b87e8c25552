"""Many threads on the same handles: nothing lost, nothing doubled, nothing left (with seeds)."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from mojo_seq import (
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    Handle,
    Message,
    MessagePipe,
    MessagePipeHandle,
    MojoError,
    PeerClosedError,
    Result,
    SharedBufferHandle,
    Signals,
    create_data_pipe,
    create_message_pipe,
    create_shared_buffer,
    fuse_message_pipes,
    wait,
)

SEEDS = range(4)


@pytest.fixture(autouse=True)
def often_switching_threads() -> Iterator[None]:
    """The default of 5 ms would let most of a test pass without a switch."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run_together(functions: Sequence[Callable[[], object]]) -> None:
    """One thread each, started together; the first error of any is raised here."""
    started = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        started.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# ---- nothing lost, nothing doubled


@pytest.mark.parametrize("seed", SEEDS)
def test_stream_between_two_threads_is_intact(seed: int) -> None:
    """System rules §5: a producer and a consumer in different threads, all ways of I/O mixed."""
    rng = random.Random(seed)
    producer, consumer = create_data_pipe(rng.choice([37, 1000, 4096]))
    data = rng.randbytes(100_000)
    received = bytearray()

    def produce() -> None:
        rng = random.Random(seed + 100)
        position = 0
        with producer:
            while position < len(data):
                wait(producer, Signals.WRITABLE)
                chunk = memoryview(data)[position : position + rng.randrange(1, 3000)]
                if rng.random() < 0.5:
                    position += producer.write(chunk)
                else:
                    window = producer.begin_write()
                    count = min(len(chunk), window.nbytes)
                    memoryview(window)[:count] = chunk[:count]
                    window.commit(count)
                    position += count

    def consume() -> None:
        rng = random.Random(seed + 200)
        with consumer:
            while wait(consumer, Signals.READABLE)[0] is Result.OK:
                if rng.random() < 0.5:
                    received.extend(consumer.read(rng.randrange(1, 3000)))
                else:
                    window = consumer.begin_read()
                    count = rng.randrange(window.nbytes + 1)
                    received.extend(memoryview(window)[:count])
                    window.consume(count)

    run_together([produce, consume])
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_read_exactly_once_and_in_order(seed: int, pipe: MessagePipe) -> None:
    """Public contract §3: FIFO; several writers and readers share an end each."""
    writers, messages = 4, 500
    seen: list[list[tuple[int, int]]] = [[] for _ in range(3)]
    running = threading.Semaphore(writers - 1)

    def write(writer: int) -> None:
        rng = random.Random(seed * 10 + writer)
        number = 0
        while number < messages:
            count = min(rng.randrange(1, 4), messages - number)
            batch = [bytes([writer]) + (number + i).to_bytes(2, "big") for i in range(count)]
            if count == 1:
                pipe.handle0.write(batch[0])
            else:
                pipe.handle0.write_batch(batch)
            number += count
        if not running.acquire(blocking=False):
            pipe.handle0.close()  # the last writer

    def read(mine: list[tuple[int, int]]) -> None:
        while wait(pipe.handle1, Signals.READABLE)[0] is Result.OK:
            try:
                payloads = [bytes(message) for message in pipe.handle1.read_batch(2)]
            except PeerClosedError:
                return
            mine.extend((payload[0], int.from_bytes(payload[1:], "big")) for payload in payloads)

    writing = [functools.partial(write, writer) for writer in range(writers)]
    reading = [functools.partial(read, mine) for mine in seen]
    run_together([*writing, *reading])
    everything = sorted(pair for mine in seen for pair in mine)
    assert everything == [(w, n) for w in range(writers) for n in range(messages)]
    for mine in seen:  # each reader sees each writer's messages in the order written
        for writer in range(writers):
            numbers = [n for w, n in mine if w == writer]
            assert numbers == sorted(numbers)


def test_only_one_of_two_threads_gets_a_handle() -> None:
    """System rules §2: a handle sent by two threads at once arrives once."""
    for _ in range(300):
        (a, b), (c, d) = create_message_pipe(), create_message_pipe()
        won: list[int] = []

        def send(number: int, b: Any = b, c: Any = c, won: list[int] = won) -> None:
            try:
                c.write(bytes([number]), [b])
            except MojoError:
                return
            won.append(number)

        run_together([functools.partial(send, 1), functools.partial(send, 2)])
        with a, c, d, d.read() as message:
            assert [message.payload[0]] == won
            assert len(message.handles) == 1
            assert not d.query_signals_state().readable


def test_fusing_the_same_end_from_two_threads() -> None:
    """System rules §4.4: one of them wins, the loser keeps its other end."""
    for _ in range(300):
        pipes = [create_message_pipe() for _ in range(3)]
        (a, b), (c, d), (e, f) = pipes
        won: list[Handle] = []

        def fuse(other: Any, b: Any = b, won: list[Handle] = won) -> None:
            try:
                fuse_message_pipes(b, other)
            except MojoError:
                return
            won.append(other)

        run_together([functools.partial(fuse, c), functools.partial(fuse, e)])
        assert len(won) == 1
        far, kept = (d, e) if won == [c] else (f, c)
        assert kept.is_valid
        a.write(b"x")
        assert bytes(far.read()) == b"x"
        for end in (a, b, c, d, e, f):
            end.close()


# ---- random programs


class Stress:
    """Threads doing random things to the handles in a few shared slots."""

    SLOTS = 12

    def __init__(self) -> None:
        self.slots: list[Handle | None] = [None] * self.SLOTS

    def put(self, rng: random.Random, handle: Handle) -> None:
        """The handle that was there goes on living in other threads' hands: close it."""
        index = rng.randrange(self.SLOTS)
        before, self.slots[index] = self.slots[index], handle
        if before is not None:
            self.finish(before)

    def finish(self, handle: Handle) -> None:
        while handle.is_valid:
            try:
                handle.close()
            except BufferError:
                continue

    def step(self, rng: random.Random) -> None:
        one, other = rng.choice(self.slots), rng.choice(self.slots)
        match rng.randrange(12), one:
            case 0, _:
                for handle in create_message_pipe():
                    self.put(rng, handle)
            case 1, _:
                for end in create_data_pipe(16, rng.choice([1, 2])):
                    self.put(rng, end)
            case 2, _:
                self.put(rng, create_shared_buffer(64))
            case 3, SharedBufferHandle():
                self.put(rng, one.duplicate(read_only=rng.random() < 0.5))
            case 4, SharedBufferHandle():
                with one.map() as mapping:
                    bytes(mapping)
            case ((3 | 4 | 5), MessagePipeHandle()) if other is not None:
                one.write(b"abcd", [other])
            case ((6 | 7), MessagePipeHandle()):
                for received in one.read().take_handles():
                    self.put(rng, received)
            case 8, MessagePipeHandle() if isinstance(other, MessagePipeHandle):
                fuse_message_pipes(one, other)
            case 9, MessagePipeHandle():
                one.write_message(Message.from_object(object()))
            case ((3 | 4), DataPipeProducerHandle()):
                one.write(b"abcd")
            case ((3 | 4), DataPipeConsumerHandle()):
                one.read(2)
            case ((5 | 6 | 7), DataPipeProducerHandle()):
                with one.begin_write() as window:
                    memoryview(window)[:1] = b"x"
                    window.commit(one.element_size)
            case ((5 | 6 | 7), DataPipeConsumerHandle()):
                with one.begin_read() as window:
                    bytes(window)
                    window.consume(one.element_size)
            case 10, Handle():
                one.query_signals_state()
            case 11, Handle() if rng.random() < 0.3:
                self.finish(one)

    def run(self, seed: int, steps: int) -> None:
        rng = random.Random(seed)
        for _ in range(steps):
            try:
                self.step(rng)
            except (MojoError, BufferError):
                continue  # not now, or somebody was faster


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_on_shared_handles(seed: int) -> None:
    """System rules §2: whatever threads do to the same handles, no crash, no hang, no leak."""
    stress = Stress()
    seeds = range(seed * 100, seed * 100 + (os.cpu_count() or 4))
    run_together([functools.partial(stress.run, each, 800) for each in seeds])
    for handle in stress.slots:
        if handle is not None:
            stress.finish(handle)
