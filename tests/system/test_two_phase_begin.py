"""Two-phase I/O: when it can begin, and what the other end does meanwhile (system rules §5.4)."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    BusyError,
    DataPipe,
    FailedPreconditionError,
    InvalidArgumentError,
    MojoError,
    OutOfRangeError,
    PeerClosedError,
    ShouldWaitError,
)

DataPipes = Callable[..., DataPipe]


def test_beginning_with_nothing_available(data_pipes: DataPipes) -> None:
    """System rules §5.4: SHOULD_WAIT."""
    producer, consumer = data_pipes(2)
    with pytest.raises(ShouldWaitError):
        consumer.begin_read()
    producer.write(b"ab")
    with pytest.raises(ShouldWaitError):
        producer.begin_write()


def test_beginning_with_the_peer_gone(data_pipes: DataPipes) -> None:
    """System rules §5.4: a reader drains first."""
    producer, consumer = data_pipes()
    producer.write(b"a")
    producer.close()
    consumer.begin_read().consume(1)
    with pytest.raises(PeerClosedError):
        consumer.begin_read()
    producer, consumer = data_pipes()
    consumer.close()
    with pytest.raises(PeerClosedError):
        producer.begin_write()


def test_beginning_with_a_minimum_that_is_there(data_pipes: DataPipes) -> None:
    """Public contract §4: the window is still all there is."""
    producer, consumer = data_pipes(8)
    producer.write(b"abc")
    with producer.begin_write(5) as window:
        assert window.nbytes == 5
    with consumer.begin_read(2) as other:
        assert other.nbytes == 3


@pytest.mark.parametrize("filled", [1, 8])
def test_minimum_that_does_not_fit_now(data_pipes: DataPipes, filled: int) -> None:
    """Public contract §4: OUT_OF_RANGE while it can still come, also when full or empty."""
    producer, consumer = data_pipes(8)
    with pytest.raises(OutOfRangeError):
        consumer.begin_read(1)
    producer.write(bytes(filled))
    with pytest.raises(OutOfRangeError):
        producer.begin_write(8)
    assert producer.write(b"") == 0  # nothing was begun


def test_minimum_that_can_never_come(data_pipes: DataPipes) -> None:
    """Public contract §4: PeerClosedError once it cannot; what is there stays readable."""
    producer, consumer = data_pipes(8)
    producer.write(b"ab")
    producer.close()
    with pytest.raises(PeerClosedError):
        consumer.begin_read(3)
    with consumer.begin_read(2) as window:
        assert bytes(window) == b"ab"


@pytest.mark.parametrize(
    ("minimum", "error"),
    [
        (12, InvalidArgumentError),
        (2**64, InvalidArgumentError),
        (1, InvalidArgumentError),
        (-3, InvalidArgumentError),
        ("3", TypeError),
        (3.0, TypeError),
    ],
)
def test_minimum_is_checked(data_pipes: DataPipes, minimum: Any, error: type[Exception]) -> None:
    """Public contract §4: more than the capacity, or misaligned."""
    producer, consumer = data_pipes(9, 3)
    producer.write(b"abc")
    with pytest.raises(error):
        producer.begin_write(minimum)
    with pytest.raises(error):
        consumer.begin_read(minimum)
    assert consumer.read() == b"abc"  # nothing was begun


# ---- the other end


def test_data_arriving_does_not_disturb_an_open_read(data_pipes: DataPipes) -> None:
    """System rules §5.4: the exposed region neither moves nor grows."""
    producer, consumer = data_pipes(8)
    producer.write(b"abc")
    window = consumer.begin_read()
    producer.write(b"defgh")
    assert bytes(window) == b"abc"
    window.consume(2)
    assert consumer.read() == b"cdefgh"


def test_producer_closing_does_not_disturb_an_open_read(data_pipes: DataPipes) -> None:
    """System rules §5.4: and the rest can be read afterwards."""
    producer, consumer = data_pipes()
    producer.write(b"abc")
    window = consumer.begin_read()
    producer.close()
    assert bytes(window) == b"abc"
    window.consume(1)
    assert consumer.read() == b"bc"


def test_consumer_closing_does_not_disturb_an_open_write(data_pipes: DataPipes) -> None:
    """System rules §5.4: ending is OK although nobody will read it."""
    producer, consumer = data_pipes()
    window = producer.begin_write()
    consumer.close()
    memoryview(window)[:1] = b"x"
    window.commit(1)
    with pytest.raises(PeerClosedError):
        producer.write(b"x")


def test_other_end_works_on_during_two_phase(data_pipes: DataPipes) -> None:
    """System rules §5.4: the other endpoint is unaffected."""
    producer, consumer = data_pipes(8)
    producer.write(b"ab")
    with producer.begin_write():
        assert consumer.read() == b"ab"
    producer.write(b"cd")
    with consumer.begin_read():
        assert producer.write(b"ef") == 2
    assert consumer.read() == b"cdef"


def test_closing_abandons_the_operation(data_pipes: DataPipes) -> None:
    """System rules §2: closing never fails because of two-phase I/O; nothing is committed."""
    producer, consumer = data_pipes()
    window = producer.begin_write()
    memoryview(window)[:1] = b"x"
    producer.close()
    assert consumer.query() == 0
    assert consumer.query_signals_state().peer_closed
    with pytest.raises(MojoError):
        window.commit(1)


def test_dropping_a_window_ends_the_operation(data_pipes: DataPipes) -> None:
    """Public contract §4: a lost window ends like a left block, with nothing committed."""
    producer, consumer = data_pipes()
    window = producer.begin_write()
    memoryview(window)[:1] = b"!"
    del window
    gc.collect()
    with pytest.raises(FailedPreconditionError):
        producer.end_write(1)
    producer.write(b"x")
    assert consumer.read() == b"x"


def test_a_view_keeps_its_window_open(data_pipes: DataPipes) -> None:
    """Public contract §4: nobody else needs to hold the window object."""
    producer, consumer = data_pipes()
    view = memoryview(producer.begin_write())
    gc.collect()
    view[:1] = b"x"
    with pytest.raises(BusyError):
        producer.write(b"y")
    view.release()
    del view
    gc.collect()
    producer.write(b"z")
    assert consumer.read() == b"z"


def test_an_exception_passing_views_of_a_window_gets_through(data_pipes: DataPipes) -> None:
    """Releasing a view on the way must not swallow what is on its way."""
    producer, _ = data_pipes()

    def fail() -> None:
        view = memoryview(producer.begin_write())
        view[0] = 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
