"""Signals of data pipe ends whose peer is in another process (system rules §8.2, §8.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.pipes import wait_for

from mojo_seq import DataPipe, OutOfRangeError, Result, Signals, SignalsState, wait

DataPipes = Callable[..., DataPipe]
R, W, PC, ND = (
    Signals.READABLE,
    Signals.WRITABLE,
    Signals.PEER_CLOSED,
    Signals.NEW_DATA_READABLE,
)
PR = Signals.PEER_REMOTE


def satisfied(state: SignalsState) -> Signals:
    """PEER_REMOTE is "best-effort", and has tests of its own."""
    return state.satisfied & ~PR


# ---- the producer


def test_a_producer_whose_ring_fills_and_empties(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.2: space: W; full: nothing; satisfiable W PC PR."""
    producer, consumer = data_pipes(4)
    there = child.give(consumer)
    assert satisfied(producer.query_signals_state()) == W
    producer.write(b"abcd")
    state = producer.query_signals_state()
    assert (satisfied(state), state.satisfiable) == (Signals.NONE, W | PC | PR)
    assert wait(producer, W, 0)[0] is Result.DEADLINE_EXCEEDED
    there.read(1)
    assert satisfied(wait_for(producer, W)) == W


def test_a_producer_in_two_phase_io(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.2: not writable meanwhile; the consumer's end shows even so."""
    producer, consumer = data_pipes()
    there = child.give(consumer)
    with producer.begin_write() as window:
        state = producer.query_signals_state()
        assert (satisfied(state), state.satisfiable) == (Signals.NONE, W | PC | PR)
        there.close()
        state = wait_for(producer, PC)
        assert (state.satisfied, state.satisfiable) == (PC, PC)
        window.commit(1)  # fine, although nobody will read it


def test_a_producer_whose_consumer_is_closed(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.2."""
    producer, consumer = data_pipes()
    child.give(consumer).close()
    state = wait_for(producer, PC)
    assert (state.satisfied, state.satisfiable) == (PC, PC)
    assert wait(producer, W)[0] is Result.FAILED_PRECONDITION


def test_a_producer_in_a_child(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.2, from the other side."""
    producer, consumer = data_pipes(4)
    there = child.give(producer)
    there.write(b"abcd")
    assert satisfied(there.query_signals_state()) == Signals.NONE
    child.begin(wait_for, there, W)
    consumer.read(2)
    assert satisfied(child.finish()) == W
    child.begin(wait_for, there, PC)
    consumer.close()
    assert child.finish() == SignalsState(PC, PC)


def test_a_producer_is_never_readable(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.2."""
    producer, consumer = data_pipes()
    there = child.give(consumer)
    assert wait(producer, R | ND)[0] is Result.FAILED_PRECONDITION
    there.close()


# ---- the consumer


def test_a_consumer_that_gets_data_and_looks_at_it(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.3: empty, unseen data, data already looked at, empty again."""
    producer, consumer = data_pipes()
    there = child.give(producer)
    state = consumer.query_signals_state()
    assert (satisfied(state), state.satisfiable) == (Signals.NONE, R | ND | PC | PR)
    there.write(b"abc")
    assert satisfied(wait_for(consumer, R)) == R | ND
    consumer.query()
    assert satisfied(consumer.query_signals_state()) == R
    there.write(b"def")
    assert satisfied(wait_for(consumer, ND)) == R | ND
    with pytest.raises(OutOfRangeError):
        consumer.read(8, all_or_none=True)
    assert satisfied(consumer.query_signals_state()) == R
    consumer.read()
    state = consumer.query_signals_state()
    assert (satisfied(state), state.satisfiable) == (Signals.NONE, R | ND | PC | PR)


def test_waiting_for_new_data_skips_what_was_seen(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.3: ND is set by every arrival, and by nothing else."""
    producer, consumer = data_pipes(100)
    there = child.give(producer)
    for number in range(20):
        there.write(bytes([number]))
        wait_for(consumer, ND)
        assert consumer.query() == number + 1
        assert wait(consumer, ND, 0)[0] is Result.DEADLINE_EXCEEDED


def test_a_consumer_in_two_phase_io(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.3: not readable meanwhile; what arrives during it is new afterwards."""
    producer, consumer = data_pipes()
    there = child.give(producer)
    there.write(b"ab")
    wait_for(consumer, R)
    with consumer.begin_read() as window:
        there.write(b"cd")
        state = consumer.query_signals_state()
        assert (satisfied(state), state.satisfiable) == (Signals.NONE, R | ND | PC | PR)
        there.close()
        state = wait_for(consumer, PC)
        assert (state.satisfied, state.satisfiable) == (PC, R | ND | PC)
        window.consume(2)
    state = consumer.query_signals_state()
    assert (state.satisfied, state.satisfiable) == (R | ND | PC, R | ND | PC)
    assert consumer.read() == b"cd"
    assert consumer.query_signals_state() == SignalsState(PC, PC)


def test_a_consumer_whose_producer_is_closed(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.3: unseen data, seen data, drained."""
    producer, consumer = data_pipes()
    there = child.give(producer)
    there.write(b"abc")
    there.close()
    state = wait_for(consumer, PC)
    assert (state.satisfied, state.satisfiable) == (R | ND | PC, R | ND | PC)
    consumer.query()
    assert consumer.query_signals_state() == SignalsState(R | PC, R | PC)
    assert wait(consumer, ND)[0] is Result.FAILED_PRECONDITION
    consumer.read()
    assert consumer.query_signals_state() == SignalsState(PC, PC)
    assert wait(consumer, R)[0] is Result.FAILED_PRECONDITION


def test_a_consumer_in_a_child(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.3, from the other side."""
    producer, consumer = data_pipes()
    there = child.give(consumer)
    child.begin(wait_for, there, R)
    producer.write(b"abc")
    assert satisfied(child.finish()) == R | ND
    assert there.read() == b"abc"
    child.begin(wait_for, there, R | PC)
    producer.close()
    assert child.finish() == SignalsState(PC, PC)


def test_a_consumer_is_never_writable(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §8.3."""
    producer, consumer = data_pipes()
    there = child.give(producer)
    assert wait(consumer, W)[0] is Result.FAILED_PRECONDITION
    there.close()


# ---- arrivals


def test_a_received_consumer_starts_with_new_data(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6: even if the sender had already looked."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    consumer.query()
    there = child.give(consumer)
    assert satisfied(there.query_signals_state()) == R | ND
    there.query()
    with child.take(there) as back:
        assert satisfied(back.query_signals_state()) == R | ND


def test_a_received_consumer_whose_producer_is_closed(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6: arrives with PEER_CLOSED and the data."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    producer.close()
    there = child.give(consumer)
    assert there.query_signals_state() == SignalsState(R | ND | PC, R | ND | PC)
    assert there.read() == b"ab"
    assert there.query_signals_state() == SignalsState(PC, PC)


def test_a_received_producer_whose_consumer_is_closed(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6, §8.2."""
    producer, consumer = data_pipes()
    consumer.close()
    there = child.give(producer)
    assert there.query_signals_state() == SignalsState(PC, PC)


def test_a_received_full_producer(child: Puppet, data_pipes: DataPipes) -> None:
    """System rules §5.6: it is still full, and room made on the way is seen."""
    producer, consumer = data_pipes(4)
    producer.write(b"abcd")
    there = child.give(producer)
    assert satisfied(there.query_signals_state()) == Signals.NONE
    consumer.read(1)
    assert satisfied(child.call(wait_for, there, W)) == W
