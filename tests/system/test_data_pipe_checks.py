"""Data pipes: readinto, argument domains, and which check comes first (system rules §5.2, §5.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mojo_seq import (
    BusyError,
    DataPipe,
    DataPipeConsumerHandle,
    DataPipeProducerHandle,
    InvalidArgumentError,
    OutOfRangeError,
    PeerClosedError,
)

DataPipes = Callable[..., DataPipe]
Write = Callable[[DataPipeProducerHandle], object]
Read = Callable[[DataPipeConsumerHandle], object]


# ---- argument domains


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (-2, InvalidArgumentError),
        (-(2**70), InvalidArgumentError),
        ("1", TypeError),
        (1.0, TypeError),
    ],
)
@pytest.mark.parametrize("method", ["read", "discard"])
def test_sizes_are_checked(
    data_pipes: DataPipes, method: str, size: Any, error: type[Exception]
) -> None:
    """Public contract §1."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    with pytest.raises(error):
        getattr(consumer, method)(size)
    assert consumer.read() == b"ab"


def test_discard_has_no_minus_one(data_pipes: DataPipes) -> None:
    """Public contract §4: only `read` says "all" so; throwing all away by accident is worse."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    with pytest.raises(InvalidArgumentError):
        consumer.discard(-1)
    assert consumer.query() == 2


def test_huge_read_reads_what_there_is(data_pipes: DataPipes) -> None:
    """Public contract §4: `max_bytes` is a maximum; no memory is reserved for it."""
    producer, consumer = data_pipes()
    producer.write(b"ab")
    assert consumer.read(2**62) == b"ab"


def test_flags_are_keyword_only(data_pipes: DataPipes) -> None:
    """Public contract: arguments after `*`."""
    producer, consumer = data_pipes()
    write: Any = producer.write
    read: Any = consumer.read
    with pytest.raises(TypeError):
        write(b"x", True)
    with pytest.raises(TypeError):
        read(1, True)


@pytest.mark.parametrize("name", ["capacity", "element_size"])
@pytest.mark.parametrize("end", [0, 1])
def test_attributes_of_a_closed_end_raise(data_pipes: DataPipes, name: str, end: int) -> None:
    """Public contract §1: attributes of a closed handle raise like its methods."""
    handle = data_pipes()[end]
    handle.close()
    with pytest.raises(InvalidArgumentError):
        getattr(handle, name)


# ---- order of checks, writing (§5.2)

WRITES: dict[str, Write] = {
    "write": lambda p: p.write(b"abc"),
    "misaligned": lambda p: p.write(b"a"),
    "empty": lambda p: p.write(b""),
    "all or none": lambda p: p.write(b"abc", all_or_none=True),
    "begin_write": lambda p: p.begin_write(),
    "begin_write misaligned": lambda p: p.begin_write(1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_write_1_dead_handle(data_pipes: DataPipes, write: Write) -> None:
    """System rules §5.2, 1: before everything else."""
    producer, consumer = data_pipes(6, 3)
    consumer.close()
    producer.close()
    with pytest.raises(InvalidArgumentError):
        write(producer)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("peer_closed", [False, True])
def test_write_2_two_phase_open(data_pipes: DataPipes, write: Write, peer_closed: bool) -> None:
    """System rules §5.2, 2: BUSY before the closed peer and before the arguments."""
    producer, consumer = data_pipes(6, 3)
    window = producer.begin_write()
    if peer_closed:
        consumer.close()
    with pytest.raises(BusyError):
        write(producer)
    window.commit(0)


@pytest.mark.parametrize("name", ["write", "misaligned", "empty", "all or none", "begin_write"])
@pytest.mark.parametrize("full", [False, True])
def test_write_3_peer_closed(data_pipes: DataPipes, name: str, full: bool) -> None:
    """System rules §5.2, 3: a misaligned write to a dead peer is FAILED_PRECONDITION."""
    producer, consumer = data_pipes(6, 3)
    if full:
        producer.write(b"abcdef")
    consumer.close()
    with pytest.raises(PeerClosedError):
        WRITES[name](producer)


@pytest.mark.parametrize("all_or_none", [False, True])
def test_write_4_misaligned_even_when_full(data_pipes: DataPipes, all_or_none: bool) -> None:
    """System rules §5.2, 4: before OUT_OF_RANGE and SHOULD_WAIT."""
    producer, consumer = data_pipes(6, 3)
    producer.write(b"abcdef")
    with pytest.raises(InvalidArgumentError):
        producer.write(b"a" * 7, all_or_none=all_or_none)
    assert consumer.read() == b"abcdef"


# ---- order of checks, reading (§5.3)

READS: dict[str, Read] = {
    "read": lambda c: c.read(3),
    "read all": lambda c: c.read(),
    "misaligned": lambda c: c.read(1),
    "peek": lambda c: c.read(3, peek=True),
    "all or none": lambda c: c.read(3, all_or_none=True),
    "readinto": lambda c: c.readinto(bytearray(3)),
    "readinto misaligned": lambda c: c.readinto(bytearray(1)),
    "discard": lambda c: c.discard(3),
    "query": lambda c: c.query(),
    "begin_read": lambda c: c.begin_read(),
    "begin_read misaligned": lambda c: c.begin_read(1),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_read_1_dead_handle(data_pipes: DataPipes, read: Read) -> None:
    """System rules §5.3, 1."""
    producer, consumer = data_pipes(6, 3)
    producer.close()
    consumer.close()
    with pytest.raises(InvalidArgumentError):
        read(consumer)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("peer_closed", [False, True])
def test_read_2_two_phase_open(data_pipes: DataPipes, read: Read, peer_closed: bool) -> None:
    """System rules §5.3, 2 and §5.4: query and discard included."""
    producer, consumer = data_pipes(6, 3)
    producer.write(b"abc")
    window = consumer.begin_read()
    if peer_closed:
        producer.close()
    with pytest.raises(BusyError):
        read(consumer)
    assert bytes(window) == b"abc"
    window.consume(3)


@pytest.mark.parametrize(
    "read",
    [
        lambda c: c.read(1),
        lambda c: c.readinto(bytearray(4)),
        lambda c: c.discard(2),
        lambda c: c.read(7, all_or_none=True),
    ],
    ids=["read", "readinto", "discard", "all or none"],
)
@pytest.mark.parametrize("peer_closed", [False, True])
def test_read_5_misaligned(data_pipes: DataPipes, read: Read, peer_closed: bool) -> None:
    """System rules §5.3, 5: before SHOULD_WAIT, OUT_OF_RANGE and the closed peer."""
    producer, consumer = data_pipes(6, 3)
    if peer_closed:
        producer.close()
    with pytest.raises(InvalidArgumentError):
        read(consumer)


def test_read_6_all_or_none_before_should_wait(data_pipes: DataPipes) -> None:
    """System rules §5.3, 6: an empty pipe is OUT_OF_RANGE, not SHOULD_WAIT."""
    with pytest.raises(OutOfRangeError):
        data_pipes(6, 3).consumer.read(3, all_or_none=True)
