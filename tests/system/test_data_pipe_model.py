"""Data pipes against a bytearray: random programs of all calls, with two-phase windows open or not.

The model is a bytearray and a few flags; system rules §5.2-§5.5 (checks in order), §8.2, §8.3.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mojo_seq import (
    BusyError,
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    FailedPreconditionError,
    Handle,
    InvalidArgumentError,
    OutOfRangeError,
    PeerClosedError,
    ReadWindow,
    ShouldWaitError,
    Signals,
    WriteWindow,
    create_data_pipe,
    create_message_pipe,
)

Error = type[Exception]
NONE, R, W = Signals.NONE, Signals.READABLE, Signals.WRITABLE
PC, ND, PR = Signals.PEER_CLOSED, Signals.NEW_DATA_READABLE, Signals.PEER_REMOTE

producer_open = precondition(lambda self: self.producer is not None)
consumer_open = precondition(lambda self: self.consumer is not None)


class DataPipeMachine(RuleBasedStateMachine):
    """Every rule predicts the outcome from the model and then looks at the library's."""

    def __init__(self) -> None:
        super().__init__()
        self.carrier = create_message_pipe()
        self.producer: DataPipeProducerHandle | None = None
        self.consumer: DataPipeConsumerHandle | None = None
        self.data = bytearray()
        self.unseen = False
        self.writing: WriteWindow | None = None
        self.reading: ReadWindow | None = None
        self.counter = 0

    @precondition(lambda self: self.producer is None and self.consumer is None)
    @rule(elements=st.integers(1, 12), size=st.sampled_from([1, 1, 3, 8]))
    def create(self, elements: int, size: int) -> None:
        self.size, self.capacity, self.counter = size, elements * size, 0
        self.data.clear()
        self.producer, self.consumer = create_data_pipe(self.capacity, size)

    # ---- what the rules share

    @property
    def free(self) -> int:
        return self.capacity - len(self.data)

    def fresh(self, count: int) -> bytes:
        """Bytes that did not occur lately, so that none can be mistaken for another."""
        start, self.counter = self.counter, self.counter + count
        return bytes(i % 251 for i in range(start, start + count))

    def arrived(self, data: bytes) -> None:
        if self.consumer is not None and data:
            self.data += data
            self.unseen = True

    def read_refusal(self, count: int, all_or_none: bool) -> Error | None:
        """System rules §5.3, steps 2 to 7. Past the BUSY check the new-data mark is cleared."""
        if self.reading is not None:
            return BusyError
        self.unseen = False
        if count % self.size:
            return InvalidArgumentError
        if all_or_none and count > len(self.data):
            return OutOfRangeError if self.producer is not None else PeerClosedError
        if count and not self.data:
            return ShouldWaitError if self.producer is not None else PeerClosedError
        return None

    # ---- immediate I/O

    @producer_open
    @rule(count=st.integers(0, 40), all_or_none=st.booleans())
    def write(self, count: int, all_or_none: bool) -> None:
        assert self.producer is not None
        data = self.fresh(count)
        error: Error | None = None
        if self.writing is not None:
            error = BusyError
        elif self.consumer is None:
            error = PeerClosedError
        elif count % self.size:
            error = InvalidArgumentError
        elif all_or_none and count > self.free:
            error = OutOfRangeError
        elif count and not self.free:
            error = ShouldWaitError
        if error is not None:
            with pytest.raises(error):
                self.producer.write(data, all_or_none=all_or_none)
            return
        written = min(count, self.free)
        assert self.producer.write(data, all_or_none=all_or_none) == written
        self.arrived(data[:written])

    @consumer_open
    @rule(
        count=st.integers(1, 40),
        all_or_none=st.booleans(),
        how=st.sampled_from(["read", "peek", "readinto", "peekinto", "discard"]),
    )
    def read(self, count: int, all_or_none: bool, how: str) -> None:
        assert self.consumer is not None
        buffer = bytearray(count)
        peek = how.startswith("peek")
        calls: dict[str, Any] = {
            "read": lambda c: c.read(count, all_or_none=all_or_none),
            "peek": lambda c: c.read(count, all_or_none=all_or_none, peek=True),
            "readinto": lambda c: c.readinto(buffer, all_or_none=all_or_none),
            "peekinto": lambda c: c.readinto(buffer, all_or_none=all_or_none, peek=True),
            "discard": lambda c: c.discard(count, all_or_none=all_or_none),
        }
        error = self.read_refusal(count, all_or_none)
        if error is not None:
            with pytest.raises(error):
                calls[how](self.consumer)
            assert buffer == bytes(count)
            return
        expected = bytes(self.data[:count])
        result = calls[how](self.consumer)
        assert result == (expected if how in ("read", "peek") else len(expected))
        if how.endswith("into"):
            assert buffer == expected + bytes(count - len(expected))
        if not peek:
            del self.data[:count]

    @consumer_open
    @rule()
    def read_all(self) -> None:
        assert self.consumer is not None
        error = self.read_refusal(len(self.data) or self.size, False)
        if error is not None:
            with pytest.raises(error):
                self.consumer.read()
            return
        assert self.consumer.read() == self.data
        self.data.clear()

    @consumer_open
    @rule()
    def query(self) -> None:
        assert self.consumer is not None
        if self.reading is not None:
            with pytest.raises(BusyError):
                self.consumer.query()
            return
        self.unseen = False
        assert self.consumer.query() == len(self.data)

    # ---- two-phase

    @producer_open
    @rule()
    def begin_write(self) -> None:
        assert self.producer is not None
        error: Error | None = None
        if self.writing is not None:
            error = BusyError
        elif self.consumer is None:
            error = PeerClosedError
        elif not self.free:
            error = ShouldWaitError
        if error is not None:
            with pytest.raises(error):
                self.producer.begin_write()
            return
        self.writing = self.producer.begin_write()
        assert self.writing.nbytes == self.free
        self.granted = self.free

    @producer_open
    @rule(count=st.integers(0, 40), whole=st.booleans())
    def end_write(self, count: int, whole: bool) -> None:
        """Fill the window and commit a part of it, possibly a part that it does not have."""
        assert self.producer is not None
        window, self.writing = self.writing, None
        if window is None:
            with pytest.raises(FailedPreconditionError):
                self.producer.end_write(count)
            return
        count = self.granted if whole else count
        data = self.fresh(self.granted)
        memoryview(window)[:] = data
        if count > self.granted or count % self.size:
            with pytest.raises(InvalidArgumentError):
                self.producer.end_write(count)
            return
        window.commit(count)
        self.arrived(data[:count])

    @consumer_open
    @rule(minimum=st.integers(0, 40))
    def begin_read(self, minimum: int) -> None:
        assert self.consumer is not None
        error: Error | None = None
        if self.reading is not None:
            error = BusyError
        elif minimum % self.size or minimum > self.capacity:
            error = InvalidArgumentError
        elif self.producer is None and max(minimum, 1) > len(self.data):
            error = PeerClosedError
        elif minimum > len(self.data):
            error = OutOfRangeError
        elif not self.data:
            error = ShouldWaitError
        if error is not BusyError:
            self.unseen = False
        if error is not None:
            with pytest.raises(error):
                self.consumer.begin_read(minimum)
            return
        self.reading = self.consumer.begin_read(minimum)
        self.exposed = bytes(self.data)

    @consumer_open
    @rule(count=st.integers(0, 40), whole=st.booleans())
    def end_read(self, count: int, whole: bool) -> None:
        """The window still shows what it showed when it was opened, whatever arrived since."""
        assert self.consumer is not None
        window, self.reading = self.reading, None
        if window is None:
            with pytest.raises(FailedPreconditionError):
                self.consumer.end_read(count)
            return
        assert bytes(window) == self.exposed
        count = len(self.exposed) if whole else count
        if count > len(self.exposed) or count % self.size:
            with pytest.raises(InvalidArgumentError):
                self.consumer.end_read(count)
            return
        window.consume(count)
        del self.data[:count]

    # ---- closing and moving

    @producer_open
    @precondition(lambda self: self.counter > 60)
    @rule()
    def close_producer(self) -> None:
        assert self.producer is not None
        self.producer.close()
        self.producer = self.writing = None

    @consumer_open
    @precondition(lambda self: self.counter > 60)
    @rule()
    def close_consumer(self) -> None:
        assert self.consumer is not None
        self.consumer.close()
        self.consumer = self.reading = None
        self.data.clear()

    def move(self, handle: Handle, busy: bool) -> Handle:
        """Send it over a message pipe; BUSY while its window is open."""
        if busy:
            with pytest.raises(BusyError):
                self.carrier.handle0.write(b"", [handle])
            return handle
        self.carrier.handle0.write(b"", [handle])
        with self.carrier.handle1.read() as message:
            (received,) = message.take_handles()
        return received

    @producer_open
    @rule()
    def move_producer(self) -> None:
        assert self.producer is not None
        moved = self.move(self.producer, self.writing is not None)
        assert isinstance(moved, DataPipeProducerHandle)
        self.producer = moved

    @consumer_open
    @rule()
    def move_consumer(self) -> None:
        """System rules §5.6: data that arrives with the consumer is new to its new owner."""
        assert self.consumer is not None
        moved = self.move(self.consumer, self.reading is not None)
        assert isinstance(moved, DataPipeConsumerHandle)
        self.consumer = moved
        if self.reading is None:
            self.unseen = bool(self.data)

    # ---- signals

    @invariant()
    def producer_signals_agree(self) -> None:
        """System rules §8.2."""
        if self.producer is None:
            return
        state = self.producer.query_signals_state()
        if self.consumer is None:
            assert (state.satisfied, state.satisfiable) == (PC, PC)
            return
        satisfied = W if self.free and self.writing is None else NONE
        assert (state.satisfied, state.satisfiable) == (satisfied, W | PC | PR)

    @invariant()
    def consumer_signals_agree(self) -> None:
        """System rules §8.3."""
        if self.consumer is None:
            return
        state = self.consumer.query_signals_state()
        now = (R if self.data else NONE) | (ND if self.data and self.unseen else NONE)
        closed = PC if self.producer is None else NONE
        satisfied = closed | (now if self.reading is None else NONE)
        satisfiable = now | PC if closed else R | ND | PC | PR
        assert (state.satisfied, state.satisfiable) == (satisfied, satisfiable)

    def teardown(self) -> None:
        self.writing = self.reading = None
        for handle in (self.producer, self.consumer, *self.carrier):
            if handle is not None:
                handle.close()


TestDataPipeModel = DataPipeMachine.TestCase
TestDataPipeModel.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, database=None
)
