"""wait and wait_many on handles whose peer is in another process (system rules §11)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from puppets import TIMEOUT, Puppet
from puppets.pipes import echo, receive, send_after, wait_for

from mojo_seq import DataPipe, MessagePipe, Result, Signals, SignalsState, wait, wait_many

MessagePipes = Callable[[], MessagePipe]
DataPipes = Callable[..., DataPipe]
R, W, PC = Signals.READABLE, Signals.WRITABLE, Signals.PEER_CLOSED


@pytest.fixture
def pipe(message_pipes: MessagePipes) -> MessagePipe:
    return message_pipes()


def in_thread(outcomes: list[object], function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=lambda: outcomes.append(function()))
    thread.start()
    return thread


def test_a_wait_ends_with_a_message(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11."""
    there = child.give(pipe.handle1)
    child.begin(send_after, there, 0.05)
    result, state = wait(pipe.handle0, R, TIMEOUT)
    assert (result, state.readable) == (Result.OK, True)
    child.finish()


def test_a_wait_in_a_child_ends_with_a_message(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11."""
    there = child.give(pipe.handle1)
    child.begin(wait, there, R, TIMEOUT)
    pipe.handle0.write(b"x")
    result, state = child.finish()
    assert (result, state.readable) == (Result.OK, True)


def test_what_is_there_already_needs_no_waiting(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11: satisfied, impossible or neither, with no time at all."""
    there = child.give(pipe.handle1)
    assert wait(pipe.handle0, W, 0)[0] is Result.OK
    assert wait(pipe.handle0, R, 0)[0] is Result.DEADLINE_EXCEEDED
    there.write(b"x")
    assert wait(pipe.handle0, R, 0)[0] is Result.OK
    assert wait(pipe.handle0, Signals.NONE)[0] is Result.FAILED_PRECONDITION
    assert wait(pipe.handle0, Signals.NEW_DATA_READABLE)[0] is Result.FAILED_PRECONDITION


def test_a_wait_ends_when_it_can_never_be(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11."""
    there = child.give(pipe.handle1)
    outcomes: list[object] = []
    thread = in_thread(outcomes, lambda: wait(pipe.handle0, R, TIMEOUT))
    there.close()
    thread.join()
    assert outcomes == [(Result.FAILED_PRECONDITION, SignalsState(PC, PC))]


def test_a_wait_ends_when_the_process_dies(
    puppets: Callable[[], Puppet], pipe: MessagePipe
) -> None:
    """System rules §13.6."""
    child = puppets()
    child.give(pipe.handle1)
    outcomes: list[object] = []
    thread = in_thread(outcomes, lambda: wait(pipe.handle0, PC, TIMEOUT))
    child.kill()
    thread.join()
    assert outcomes == [(Result.OK, SignalsState(PC, PC))]


def test_a_wait_ends_when_the_handle_is_closed(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11: CANCELLED, also if it is on its way to sleep just now."""
    child.give(pipe.handle1)
    outcomes: list[tuple[Result, SignalsState]] = []
    waiting = threading.Event()

    def body() -> None:
        waiting.set()
        outcomes.append(wait(pipe.handle0, R, TIMEOUT))

    thread = threading.Thread(target=body)
    thread.start()
    waiting.wait(TIMEOUT)
    pipe.handle0.close()
    thread.join()
    assert outcomes[0][0] is Result.CANCELLED


def test_a_wait_ends_when_the_handle_is_sent(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §4.5: CANCELLED; the message goes to the new owner."""
    a, b = message_pipes()
    far = child.give(b)
    outcomes: list[object] = []
    threads = [in_thread(outcomes, lambda: wait(a, R, TIMEOUT)[0]) for _ in range(3)]
    there = child.give(a)
    for thread in threads:
        thread.join()
    assert outcomes == [Result.CANCELLED] * 3
    far.write(b"x")
    assert child.call(receive, there) == b"x"


def test_many_threads_wait_for_one_handle(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11: all of them see it close."""
    there = child.give(pipe.handle1)
    outcomes: list[object] = []
    threads = [in_thread(outcomes, lambda: wait(pipe.handle0, PC, TIMEOUT)[0]) for _ in range(20)]
    there.close()
    for thread in threads:
        thread.join()
    assert outcomes == [Result.OK] * 20


def test_many_threads_read_from_one_handle(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §2: thread-safe: each message goes to one of them, none is slept through."""
    there = child.give(pipe.handle1)
    received: list[object] = []

    def body() -> None:
        while True:
            payload = receive(pipe.handle0)
            received.append(payload)
            if payload == b"stop":
                return

    threads = [threading.Thread(target=body) for _ in range(8)]
    for thread in threads:
        thread.start()
    there.write_batch([str(number).encode() for number in range(2_000)] + [b"stop"] * 8)
    for thread in threads:
        thread.join()
    numbers = {str(number).encode() for number in range(2_000)}
    assert len(received) == 2_008 and set(received) - {b"stop"} == numbers


def test_waiting_for_data_pipes(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §11, §8.2, §8.3: woken by the doorbell, in both directions."""
    (producer, consumer), (producer2, consumer2) = data_pipes(4), data_pipes(4)
    sink, source = child.give(consumer), child.give(producer2)
    for _ in range(200):
        producer.write(b"abcd")
        child.begin(wait, sink, R, TIMEOUT)
        assert child.finish()[0] is Result.OK
        assert sink.read() == b"abcd"
        assert wait(producer, W, TIMEOUT)[0] is Result.OK
    child.begin(wait, sink, R, TIMEOUT)
    producer.write(b"x")
    assert child.finish()[0] is Result.OK
    assert wait(consumer2, R, 0.001)[0] is Result.DEADLINE_EXCEEDED
    source.write(b"y")
    assert wait(consumer2, R, TIMEOUT)[0] is Result.OK


# ---- wait_many


def test_local_and_remote_handles_together(
    child: Puppet, message_pipes: MessagePipes, data_pipes: DataPipes
) -> None:
    """System rules §11: the index tells which of them it was."""
    (a, b), (c, d), (producer, consumer) = message_pipes(), message_pipes(), data_pipes()
    there, source = child.give(d), child.give(producer)
    handles = [(a, R), (c, R), (consumer, R)]
    assert wait_many(handles, 0.001)[:2] == (Result.DEADLINE_EXCEEDED, None)
    b.write(b"local")
    assert wait_many(handles, TIMEOUT)[:2] == (Result.OK, 0)
    assert receive(a) == b"local"
    child.begin(send_after, there, 0.02)
    assert wait_many(handles, TIMEOUT)[:2] == (Result.OK, 1)
    child.finish()
    receive(c)
    source.write(b"bytes")
    assert wait_many(handles, TIMEOUT)[:2] == (Result.OK, 2)
    consumer.read()
    there.close()
    assert wait_many(handles, TIMEOUT)[:2] == (Result.FAILED_PRECONDITION, 1)


def test_a_hundred_handles_of_two_children(
    puppets: Callable[[], Puppet], message_pipes: MessagePipes
) -> None:
    """System rules §11: whichever is written to, it is found."""
    children = puppets(), puppets()
    pipes = [message_pipes() for _ in range(100)]
    far = [children[number % 2].give(pipe.handle1) for number, pipe in enumerate(pipes)]
    handles = [(pipe.handle0, R) for pipe in pipes]
    for number in (0, 99, 50, 17, 17, 98):
        children[number % 2].begin(send_after, far[number], 0.002)
        result, index, states = wait_many(handles, TIMEOUT)
        assert (result, index) == (Result.OK, number)
        assert states[number].readable
        children[number % 2].finish()
        receive(pipes[number].handle0)


def test_the_same_handle_twice(child: Puppet, pipe: MessagePipe) -> None:
    """Public contract §9."""
    there = child.give(pipe.handle1)
    child.begin(send_after, there, 0.01)
    result, index, _ = wait_many([(pipe.handle0, PC), (pipe.handle0, R)], TIMEOUT)
    assert (result, index) == (Result.OK, 1)
    child.finish()


def test_closing_one_of_many(child: Puppet, message_pipes: MessagePipes) -> None:
    """System rules §11: CANCELLED, and which."""
    (a, b), (c, d) = message_pipes(), message_pipes()
    child.give(b), child.give(d)
    outcomes: list[object] = []
    thread = in_thread(outcomes, lambda: wait_many([(a, R), (c, R)], TIMEOUT)[:2])
    wait_for(c, W)
    c.close()
    thread.join()
    assert outcomes == [(Result.CANCELLED, 1)]


def test_ping_pong_a_thousand_times(child: Puppet, pipe: MessagePipe) -> None:
    """System rules §11: no wake-up is lost on the way."""
    there = child.give(pipe.handle1)
    child.begin(echo, there)
    for number in range(1_000):
        pipe.handle0.write(str(number).encode())
        assert wait(pipe.handle0, R, TIMEOUT)[0] is Result.OK
        assert bytes(pipe.handle0.read()) == str(number).encode()
    pipe.handle0.close()
    assert child.finish() == 1_000
