"""give: arrays that belong to whoever receives them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from mojo_seq import MessagePipe, _core, create_message_pipe
from mojo_seq.process import give, shared_array
from mojo_seq.process.object_codec import decode, encode

Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture
def pipe(remote_pipe: Any) -> MessagePipe:
    return MessagePipe(*remote_pipe)


def passed(pipe: MessagePipe, obj: Any, *, read_only: bool = True) -> Any:
    """What arrives at the other end, from a pool."""
    encode(obj, read_only=read_only).write_to(pipe.handle0)
    _core.wait(pipe.handle1, _core.Signals.READABLE, 30.0)
    return decode(pipe.handle1.read())


def are_one(a: Array, b: Array) -> bool:
    place = "__array_interface__"
    return bool(getattr(a, place)["data"][0] == getattr(b, place)["data"][0])


@pytest.mark.parametrize("count", [0, 1, 3, 1000, 10_000, 300_000])
def test_a_given_array_can_be_written_to_and_another_cannot(pipe: MessagePipe, count: int) -> None:
    array, other = np.arange(count, dtype=float), np.arange(count, dtype=float)
    arrived, plain = passed(pipe, [give(array), other])
    assert type(arrived) is np.ndarray and type(plain) is np.ndarray
    assert arrived.flags.writeable and not plain.flags.writeable
    assert (arrived == array).all() and (plain == other).all()
    arrived[...] = -1
    assert array.flags.writeable and (array >= 0).all()  # it was copied: nothing changes here


@pytest.mark.parametrize(
    "array",
    [
        np.arange(60_000).reshape(200, 300)[::2, ::3],
        np.asfortranarray(np.arange(6000).reshape(20, 300)),
        np.array(5.0),
        np.arange(10).astype("M8[D]"),
        np.array([1, "two", None], dtype=object),
        np.zeros(20_000, dtype=[("a", "i4"), ("b", "S3")]),
        np.broadcast_to(np.arange(5000), (3, 5000)),
    ],
    ids=lambda array: f"{array.dtype.kind}{array.shape}",
)
def test_any_array_can_be_given(pipe: MessagePipe, array: Array) -> None:
    arrived = passed(pipe, give(array))
    assert arrived.dtype == array.dtype and (arrived == array).all()
    assert arrived.flags.writeable


def test_one_in_shared_memory_is_not_copied(pipe: MessagePipe) -> None:
    array = shared_array((100, 100))
    array[:] = 3
    arrived = passed(pipe, give(array))
    assert are_one(arrived, array)
    assert arrived.flags.writeable and not array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_one_that_was_received_goes_on_without_a_copy(pipe: MessagePipe) -> None:
    first = passed(pipe, give(np.arange(100_000.0)))
    second = passed(pipe, {"deep": [give(first)]})["deep"][0]
    assert are_one(first, second)
    assert second.flags.writeable and not first.flags.writeable
    third = passed(pipe, give(second[10:20]))  # the whole array is looked at, too
    assert not are_one(third, second[10:]) and second.flags.writeable
    part = second[10:20]
    del second
    fourth = passed(pipe, give(part))
    assert are_one(fourth, part) and (fourth == np.arange(10, 20)).all()


def test_one_that_is_in_use_here_is_copied(pipe: MessagePipe) -> None:
    array = shared_array(100_000)
    view = array[:10]
    arrived = passed(pipe, give(array))
    arrived[:] = 7
    assert array.flags.writeable and (array == 0).all() and view.flags.writeable


def test_one_that_cannot_be_written_to_here_is_copied(pipe: MessagePipe) -> None:
    received = passed(pipe, np.arange(100_000.0))
    arrived = passed(pipe, give(received))
    assert not received.flags.writeable and arrived.flags.writeable
    arrived[:] = -1
    assert received[5] == 5


def test_what_was_received_read_only_is_sent_on_without_a_copy(pipe: MessagePipe) -> None:
    """Nobody can write to it, so that is as good as a copy."""
    first = passed(pipe, [np.arange(100_000.0), np.arange(10)])
    second = passed(pipe, first)
    assert are_one(first[0], second[0]) and not second[0].flags.writeable
    assert not are_one(first[1], second[1])  # a small one would keep all the memory
    third = passed(pipe, first, read_only=False)
    assert not third[0].flags.writeable


def test_one_that_can_be_written_to_is_never_taken_for_such_a_one(pipe: MessagePipe) -> None:
    first = passed(pipe, np.arange(100_000.0), read_only=False)
    view = first[:]
    view.flags.writeable = False
    second = passed(pipe, view)
    first[:] = -1
    assert second[5] == 5


def test_what_is_not_sent_after_all_is_still_here(pipe: MessagePipe) -> None:
    array = shared_array(1000)
    encoded = encode(give(array))
    assert not array.flags.writeable
    encoded.discard()
    assert array.flags.writeable
    with pytest.raises(TypeError):
        encode([give(array), (each for each in ())])
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        encode([give(array), lambda: 1])
    assert array.flags.writeable
    pipe.handle1.close()
    encoded = encode(give(array))
    with pytest.raises(_core.PeerClosedError):
        encoded.write_to(pipe.handle0)
    del encoded
    assert array.flags.writeable


def test_kept_ones_can_be_sent_again_as_they_were(pipe: MessagePipe) -> None:
    array, shared = np.arange(100_000.0), shared_array(10)
    encoded = encode([array, give(shared), np.arange(5)], b"suffix", read_only=True)
    encoded.keep = True
    for _ in range(3):
        encoded.write_to(pipe.handle0)
        _core.wait(pipe.handle1, _core.Signals.READABLE, 30.0)
        arrived = decode(pipe.handle1.read())
        assert (arrived[0] == np.arange(100_000)).all() and (arrived[2] == np.arange(5)).all()
        assert are_one(arrived[1], shared)
        array[:] = -1
        del arrived
    encoded.discard()
    assert not shared.flags.writeable
    small = encode([1, "two"])
    small.keep = True
    for _ in range(2):
        small.write_to(pipe.handle0)
        _core.wait(pipe.handle1, _core.Signals.READABLE, 30.0)
        assert decode(pipe.handle1.read()) == [1, "two"]


def test_what_the_first_receiver_did_is_not_sent_again(pipe: MessagePipe) -> None:
    for count in (10, 100_000):
        array = np.arange(count)
        encoded = encode([give(array), 5], read_only=True)
        encoded.keep = True
        for _ in range(2):
            encoded.write_to(pipe.handle0)
            _core.wait(pipe.handle1, _core.Signals.READABLE, 30.0)
            arrived = decode(pipe.handle1.read())
            assert (arrived[0] == np.arange(count)).all()
            arrived[0][:] = -1
        encoded.discard()


def test_it_is_an_array_to_everybody_else() -> None:
    array = np.arange(10.0)
    given = give(array)
    assert isinstance(given, np.ndarray) and (given == array).all()
    given[3] = 8
    assert array[3] == 8
    assert type(given + 1) is np.ndarray and type(given.sum()) is np.float64
    for made in (pickle.loads(pickle.dumps(given)), copy.deepcopy(given), copy.copy(given)):
        assert (made == array).all() and array.flags.writeable
        assert made.base is not array
    assert type(pickle.loads(pickle.dumps(given))) is np.ndarray
    assert give(given) is given
    assert encode(given[2:5]) is not None  # a view of it is an ordinary array
    here = create_message_pipe()
    encode([given[2:5], give(given[2:5])]).write_to(here.handle0)
    first, second = decode(here.handle1.read())
    assert type(first) is np.ndarray and type(second) is np.ndarray
    for end in here:
        end.close()


@pytest.mark.parametrize("obj", [5, [1, 2], b"bytes", None, np.float64(3), np.recarray(3, "i4")])
def test_what_is_no_plain_array(obj: Any) -> None:
    with pytest.raises(TypeError, match="can be given away"):
        give(obj)
    with pytest.raises(TypeError, match="can be given away"):
        give(np.ma.masked_array([1, 2]))


def test_the_same_array_given_twice_arrives_twice(pipe: MessagePipe) -> None:
    array = shared_array(1000)
    first, second = passed(pipe, [give(array), give(array)])
    first[:] = 1
    assert first.flags.writeable and second.flags.writeable
