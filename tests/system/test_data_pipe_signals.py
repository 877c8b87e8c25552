"""Signals of data pipes in each of their states (system rules §8.2, §8.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from mojo_seq import (
    BusyError,
    DataPipe,
    DataPipeConsumerHandle,
    Handle,
    InvalidArgumentError,
    OutOfRangeError,
    ShouldWaitError,
    Signals,
    create_data_pipe,
)

DataPipes = Callable[..., DataPipe]
Read = Callable[[DataPipeConsumerHandle], object]

NONE = Signals.NONE
R = Signals.READABLE
W = Signals.WRITABLE
PC = Signals.PEER_CLOSED
ND = Signals.NEW_DATA_READABLE
PR = Signals.PEER_REMOTE


class Scene(NamedTuple):
    """A handle brought into some state, and what has to stay alive for it to stay there."""

    handle: Handle
    others: tuple[Handle, ...] = ()
    window: object = None


# ---- data pipe producers (§8.2)


def producer_with_space() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"abc")
    return Scene(producer, (consumer,))


def producer_full() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"abcd")
    return Scene(producer, (consumer,))


def producer_in_two_phase() -> Scene:
    producer, consumer = create_data_pipe(4)
    return Scene(producer, (consumer,), producer.begin_write())


def producer_after_two_phase() -> Scene:
    producer, consumer = create_data_pipe(4)
    with producer.begin_write():
        pass
    return Scene(producer, (consumer,))


def producer_peer_closed() -> Scene:
    producer, consumer = create_data_pipe(4)
    consumer.close()
    return Scene(producer)


def producer_full_peer_closed() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"abcd")
    consumer.close()
    return Scene(producer)


def producer_in_two_phase_peer_closed() -> Scene:
    producer, consumer = create_data_pipe(4)
    window = producer.begin_write()
    consumer.close()
    return Scene(producer, (), window)


# ---- data pipe consumers (§8.3)


def consumer_empty() -> Scene:
    producer, consumer = create_data_pipe(4)
    return Scene(consumer, (producer,))


def consumer_unseen_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    return Scene(consumer, (producer,))


def consumer_seen_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    consumer.read(1)
    return Scene(consumer, (producer,))


def consumer_emptied() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    consumer.read()
    return Scene(consumer, (producer,))


def consumer_in_two_phase() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    return Scene(consumer, (producer,), consumer.begin_read())


def consumer_in_two_phase_new_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    window = consumer.begin_read()
    producer.write(b"c")
    return Scene(consumer, (producer,), window)


def consumer_after_two_phase_new_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    window = consumer.begin_read()
    producer.write(b"c")
    window.consume(1)
    return Scene(consumer, (producer,))


def consumer_after_two_phase_seen_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    consumer.begin_read().consume(1)
    return Scene(consumer, (producer,))


def consumer_peer_closed_unseen_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    producer.close()
    return Scene(consumer)


def consumer_peer_closed_seen_data() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    producer.close()
    consumer.read(1)
    return Scene(consumer)


def consumer_peer_closed_in_two_phase_seen() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    window = consumer.begin_read()
    producer.close()
    return Scene(consumer, (), window)


def consumer_peer_closed_in_two_phase_unseen() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    window = consumer.begin_read()
    producer.write(b"c")
    producer.close()
    return Scene(consumer, (), window)


def consumer_peer_closed_drained() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.write(b"ab")
    producer.close()
    consumer.read()
    return Scene(consumer)


def consumer_peer_closed_never_written() -> Scene:
    producer, consumer = create_data_pipe(4)
    producer.close()
    return Scene(consumer)


PRODUCER = W | PC | PR
CONSUMER = R | ND | PC | PR

TABLE: list[tuple[Callable[[], Scene], Signals, Signals]] = [
    (producer_with_space, W, PRODUCER),
    (producer_full, NONE, PRODUCER),
    (producer_in_two_phase, NONE, PRODUCER),
    (producer_after_two_phase, W, PRODUCER),
    (producer_peer_closed, PC, PC),
    (producer_full_peer_closed, PC, PC),
    (producer_in_two_phase_peer_closed, PC, PC),
    (consumer_empty, NONE, CONSUMER),
    (consumer_unseen_data, R | ND, CONSUMER),
    (consumer_seen_data, R, CONSUMER),
    (consumer_emptied, NONE, CONSUMER),
    (consumer_in_two_phase, NONE, CONSUMER),
    (consumer_in_two_phase_new_data, NONE, CONSUMER),
    (consumer_after_two_phase_new_data, R | ND, CONSUMER),
    (consumer_after_two_phase_seen_data, R, CONSUMER),
    (consumer_peer_closed_unseen_data, R | ND | PC, R | ND | PC),
    (consumer_peer_closed_seen_data, R | PC, R | PC),
    (consumer_peer_closed_in_two_phase_seen, PC, R | PC),
    (consumer_peer_closed_in_two_phase_unseen, PC, R | ND | PC),
    (consumer_peer_closed_drained, PC, PC),
    (consumer_peer_closed_never_written, PC, PC),
]


@pytest.mark.parametrize(
    ("build", "satisfied", "satisfiable"), TABLE, ids=[row[0].__name__ for row in TABLE]
)
def test_signals_of_each_state(
    build: Callable[[], Scene], satisfied: Signals, satisfiable: Signals, closing: list[Handle]
) -> None:
    """System rules §8.2 and §8.3, row by row."""
    scene = build()
    closing.extend((*scene.others, scene.handle))
    state = scene.handle.query_signals_state()
    assert (state.satisfied, state.satisfiable) == (satisfied, satisfiable)


# ---- NEW_DATA_READABLE (§8.3)

LOOKS: dict[str, tuple[Read, type[Exception] | None]] = {
    "read": (lambda c: c.read(3), None),
    "read nothing": (lambda c: c.read(0), None),
    "peek": (lambda c: c.read(3, peek=True), None),
    "query": (lambda c: c.query(), None),
    "discard": (lambda c: c.discard(3), None),
    "begin_read": (lambda c: c.begin_read().consume(0), None),
    "failing all or none": (lambda c: c.read(9, all_or_none=True), OutOfRangeError),
    "failing begin_read": (lambda c: c.begin_read(9), OutOfRangeError),
    "misaligned read": (lambda c: c.read(1), InvalidArgumentError),
    "misaligned discard": (lambda c: c.discard(1), InvalidArgumentError),
}


@pytest.mark.parametrize(("look", "error"), LOOKS.values(), ids=LOOKS)
def test_any_look_clears_new_data(
    data_pipes: DataPipes, look: Read, error: type[Exception] | None
) -> None:
    """System rules §8.3: whatever the outcome, once past the BUSY check."""
    producer, consumer = data_pipes(9, 3)
    producer.write(b"abcdef")
    if error is None:
        look(consumer)
    else:
        with pytest.raises(error):
            look(consumer)
    assert consumer.query_signals_state().satisfied == Signals.READABLE


def test_a_busy_read_does_not_clear_new_data(data_pipes: DataPipes) -> None:
    """System rules §5.3: the mark is cleared only past the BUSY check."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    window = consumer.begin_read()
    producer.write(b"c")
    with pytest.raises(BusyError):
        consumer.query()
    window.consume(0)
    assert consumer.query_signals_state().new_data_readable


def test_every_arrival_sets_new_data_again(data_pipes: DataPipes) -> None:
    """System rules §8.3."""
    producer, consumer = data_pipes()
    for _ in range(3):
        producer.write(b"a")
        assert consumer.query_signals_state().new_data_readable
        consumer.query()
        assert not consumer.query_signals_state().new_data_readable


def test_writing_nothing_is_no_new_data(data_pipes: DataPipes) -> None:
    """System rules §8.3: bytes must arrive."""
    producer, consumer = data_pipes(1)
    producer.write(b"a")
    consumer.query()
    producer.write(b"")
    with pytest.raises(ShouldWaitError):
        producer.write(b"b")
    assert consumer.query_signals_state().satisfied == Signals.READABLE
