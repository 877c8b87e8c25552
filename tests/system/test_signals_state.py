"""`SignalsState`, the value that queries and notifications hand out (public contract §1)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    DataPipe,
    InvalidArgumentError,
    MessagePipe,
    Signals,
    SignalsState,
    create_message_pipe,
)


@pytest.fixture
def idle(pipe: MessagePipe) -> SignalsState:
    """Writable; all else may come."""
    return pipe.handle0.query_signals_state()


@pytest.fixture
def lonely(pipe: MessagePipe) -> SignalsState:
    """Peer closed and drained; nothing else can ever come."""
    pipe.handle1.close()
    return pipe.handle0.query_signals_state()


def test_satisfied_and_satisfiable_are_signals(idle: SignalsState) -> None:
    """Public contract §1: flags, not bare integers."""
    assert isinstance(idle.satisfied, Signals)
    assert isinstance(idle.satisfiable, Signals)


def test_predicates_of_satisfied_signals(idle: SignalsState, pipe: MessagePipe) -> None:
    """Public contract §1: one predicate per signal, about now."""
    pipe.handle1.write(b"x")
    state = pipe.handle0.query_signals_state()
    assert state.readable
    assert state.writable
    assert not state.peer_closed
    assert not state.new_data_readable
    assert not state.peer_remote
    assert not idle.readable


def test_predicates_after_the_peer_closed(lonely: SignalsState) -> None:
    """Public contract §1."""
    assert lonely.peer_closed
    assert not lonely.readable
    assert not lonely.writable


def test_new_data_readable_predicate(data_pipes: Callable[..., DataPipe]) -> None:
    """Public contract §1."""
    producer, consumer = data_pipes()
    producer.write(b"x")
    assert consumer.query_signals_state().new_data_readable
    consumer.query()
    assert not consumer.query_signals_state().new_data_readable


def test_never_predicates_are_about_satisfiable(idle: SignalsState, lonely: SignalsState) -> None:
    """Public contract §1: `never_x` means x is no longer satisfiable."""
    assert not idle.never_readable
    assert not idle.never_writable
    assert not idle.never_peer_closed
    assert lonely.never_readable
    assert lonely.never_writable
    assert not lonely.never_peer_closed


def test_a_consumer_is_never_writable(data_pipes: Callable[..., DataPipe]) -> None:
    """System rules §8.3."""
    assert data_pipes().consumer.query_signals_state().never_writable


def test_a_producer_is_never_readable(data_pipes: Callable[..., DataPipe]) -> None:
    """System rules §8.2."""
    assert data_pipes().producer.query_signals_state().never_readable


def test_predicates_are_bools(idle: SignalsState) -> None:
    """`state.readable is True` is what a reader of the contract would write."""
    assert idle.writable is True
    assert idle.readable is False
    assert idle.never_readable is False


def test_satisfies_means_any(idle: SignalsState) -> None:
    """Public contract §1: any of the signals, not all."""
    assert idle.satisfies(Signals.WRITABLE)
    assert idle.satisfies(Signals.READABLE | Signals.WRITABLE)
    assert not idle.satisfies(Signals.READABLE)
    assert not idle.satisfies(Signals.READABLE | Signals.PEER_CLOSED)


def test_can_satisfy_means_any(lonely: SignalsState) -> None:
    """Public contract §1."""
    assert lonely.can_satisfy(Signals.READABLE | Signals.PEER_CLOSED)
    assert not lonely.can_satisfy(Signals.READABLE | Signals.WRITABLE)


def test_no_signal_is_neither_satisfied_nor_satisfiable(idle: SignalsState) -> None:
    """System rules §9.1: NONE counts as permanently unsatisfiable."""
    assert not idle.satisfies(Signals.NONE)
    assert not idle.can_satisfy(Signals.NONE)


def test_plain_integers_are_signals_too(idle: SignalsState) -> None:
    """Public contract §1: every argument that takes signals takes an int."""
    assert idle.satisfies(2)
    assert not idle.satisfies(1)
    assert idle.can_satisfy(1)


@pytest.mark.parametrize("signals", [32, -1, 2**64])
def test_unknown_signals_are_invalid(idle: SignalsState, signals: int) -> None:
    """Public contract §1: integers outside their domain."""
    with pytest.raises(InvalidArgumentError):
        idle.satisfies(signals)


@pytest.mark.parametrize("wrong", ["READABLE", None, 1.0], ids=repr)
def test_signals_of_the_wrong_type(idle: SignalsState, wrong: Any) -> None:
    """Public contract §1."""
    with pytest.raises(TypeError):
        idle.can_satisfy(wrong)


def test_states_compare_by_value(pipe: MessagePipe) -> None:
    """Public contract §1."""
    other = create_message_pipe()
    with other.handle0, other.handle1:
        first = pipe.handle0.query_signals_state()
        assert first == other.handle0.query_signals_state()
        other.handle1.write(b"x")
        assert first != other.handle0.query_signals_state()


def test_equal_states_hash_equal(pipe: MessagePipe) -> None:
    """Public contract §1: equal by value, so usable as a key or in a set."""
    states = {end.query_signals_state() for end in pipe}
    assert len(states) == 1


def test_a_state_is_a_snapshot(idle: SignalsState, pipe: MessagePipe) -> None:
    """A query's answer does not change behind the caller's back."""
    pipe.handle1.write(b"x")
    assert not idle.readable
    assert pipe.handle0.query_signals_state().readable


def test_repr_names_the_signals(idle: SignalsState) -> None:
    """A state in a log must be readable without a table of bits."""
    assert "WRITABLE" in repr(idle)


def test_a_state_does_not_equal_something_else(idle: SignalsState) -> None:
    """Comparison with a stranger is False, not an exception."""
    assert idle != object()


def test_lost_signals_never_return(pipe: MessagePipe) -> None:
    """System rules §8: satisfied is part of satisfiable, and satisfiable only shrinks."""
    a, b = pipe
    seen = [a.query_signals_state()]
    b.write(b"x")
    seen.append(a.query_signals_state())
    b.close()
    seen.append(a.query_signals_state())
    a.read().close()
    seen.append(a.query_signals_state())
    assert all(state.satisfied in state.satisfiable for state in seen)
    pairs = itertools.pairwise(seen)
    assert all(after.satisfiable in before.satisfiable for before, after in pairs)
