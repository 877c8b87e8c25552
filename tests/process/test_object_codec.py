"""The codec: objects in messages, with their buffers and handles beside the pickle."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mojo_seq import (
    BusyError,
    DataLossError,
    Handle,
    InvalidArgumentError,
    Message,
    MessagePipe,
    MessagePipeHandle,
    PeerClosedError,
    SharedBufferHandle,
    Watcher,
    create_message_pipe,
    create_shared_buffer,
)
from mojo_seq.process import main_module
from mojo_seq.process.object_codec import decode, decode_payload, encode, take_payload


@pytest.fixture
def pipe() -> Any:
    made = create_message_pipe()
    yield made
    for end in made:
        end.close()


def passed(pipe: MessagePipe, obj: object) -> Any:
    """What arrives at the other end."""
    encode(obj).write_to(pipe.handle0)
    return decode(pipe.handle1.read())


@dataclass
class Parcel:
    label: str
    contents: Any = None


class Slots:
    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing


@pytest.mark.parametrize(
    "obj",
    [
        None,
        0,
        "text",
        b"x" * 100_000,
        bytearray(b"y" * 100_000),
        {"a": [1, (2, 3)], "b": {4}},
        Parcel("p", [1.5, ...]),
        ("t" * 300_000, 1),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_objects_arrive_as_they_were(pipe: MessagePipe, obj: object) -> None:
    assert passed(pipe, obj) == obj


@pytest.mark.parametrize("count", [0, 1, 100, 2048, 100_000, 3_000_000])
def test_arrays_arrive_and_can_be_written_to(pipe: MessagePipe, count: int) -> None:
    array = np.arange(count, dtype=np.float64)
    arrived = passed(pipe, {"array": array})["array"]
    assert arrived.dtype == array.dtype and (arrived == array).all()
    assert arrived.flags.writeable
    arrived[:] = -1
    assert (array >= 0).all()  # it is another one


def test_many_arrays_of_all_sizes_in_one_message(pipe: MessagePipe) -> None:
    arrays = [np.full(size, size, dtype=np.uint16) for size in range(0, 9000, 377)]
    arrived = passed(pipe, arrays)
    assert [(each == len(each)).all() for each in arrived] == [True] * len(arrays)
    assert [len(each) for each in arrived] == [len(each) for each in arrays]


def test_large_arrays_are_aligned(pipe: MessagePipe) -> None:
    arrays = [np.zeros(size, dtype=np.uint8) for size in (70_001, 70_003, 70_007)]
    arrived = passed(pipe, arrays)
    assert {each.ctypes.data % 64 for each in arrived} == {0}


def test_what_cannot_be_written_to_cannot_be_there_either(pipe: MessagePipe) -> None:
    array = np.zeros(100_000)
    array.flags.writeable = False
    assert not passed(pipe, array).flags.writeable


def test_arrays_that_are_not_contiguous(pipe: MessagePipe) -> None:
    array = np.arange(60_000).reshape(200, 300)
    for view in (array[::2, ::3], array.T, np.asfortranarray(array)):
        assert (passed(pipe, view) == view).all()


def test_one_array_twice_is_one_array(pipe: MessagePipe) -> None:
    array = np.zeros(50_000)
    first, second = passed(pipe, (array, array))
    assert first is second


def test_an_array_outlives_its_message(pipe: MessagePipe) -> None:
    arrived = passed(pipe, np.ones(100_000))
    for _ in range(5):
        passed(pipe, np.zeros(100_000))
    assert (arrived == 1).all()


def test_frozen_means_that_the_object_may_change(pipe: MessagePipe) -> None:
    array = np.ones(100_000)
    encoded = encode(array)
    encoded.freeze()
    array[:] = 2
    encoded.write_to(pipe.handle0)
    assert (decode(pipe.handle1.read()) == 1).all()


def test_handles_at_any_depth(pipe: MessagePipe) -> None:
    near, far = create_message_pipe()
    buffer = create_shared_buffer(10)
    arrived = passed(pipe, {"deep": [Parcel("p", (far, Slots(buffer)))]})
    far_there, slots = arrived["deep"][0].contents
    assert isinstance(far_there, MessagePipeHandle) and isinstance(slots.thing, SharedBufferHandle)
    assert not far.is_valid and not buffer.is_valid
    near.write(b"hello")
    assert bytes(far_there.read()) == b"hello"
    for each in (near, far_there, slots.thing):
        each.close()


def test_handles_beside_large_buffers(pipe: MessagePipe) -> None:
    near, far = create_message_pipe()
    array, there = passed(pipe, (np.ones(100_000), far))
    assert array.sum() == 100_000 and there.is_valid
    near.close()
    there.close()


def test_a_handle_that_stands_there_twice_is_one_handle(pipe: MessagePipe) -> None:
    near, far = create_message_pipe()
    first, second = passed(pipe, [far, far])
    assert first is second
    near.close()
    first.close()


@pytest.mark.parametrize("with_buffer", [False, True])
def test_a_failed_write_leaves_the_handles_where_they_are(
    pipe: MessagePipe, with_buffer: bool
) -> None:
    near, far = create_message_pipe()
    pipe.handle1.close()
    with pytest.raises(PeerClosedError):
        encode((far, np.ones(100_000 if with_buffer else 1))).write_to(pipe.handle0)
    assert far.is_valid
    near.close()
    far.close()


def test_handles_that_cannot_leave(pipe: MessagePipe) -> None:
    near, far = create_message_pipe()
    near.close()
    with pytest.raises(InvalidArgumentError) as caught:
        encode([far, {"dead": near}])
    assert "object[1]['dead']" in caught.value.__notes__[0]
    with Watcher(lambda *_: None) as watcher, pytest.raises(InvalidArgumentError):
        encode(watcher)
    assert far.is_valid
    far.close()


def test_the_pipe_itself_cannot_travel_over_itself(pipe: MessagePipe) -> None:
    with pytest.raises((BusyError, InvalidArgumentError)):
        encode(pipe.handle0).write_to(pipe.handle0)
    assert pipe.handle0.is_valid


def test_handles_nobody_takes_are_closed(pipe: MessagePipe) -> None:
    near, far = create_message_pipe()
    encode(far).write_to(pipe.handle0)
    message = pipe.handle1.read()
    handles = message.take_handles()
    assert decode_payload(pickle.dumps(5), handles) == 5
    assert near.query_signals_state().peer_closed
    near.close()


def test_outside_of_an_encoding_handles_cannot_be_pickled(pipe: MessagePipe) -> None:
    passed(pipe, 1)
    with pytest.raises(TypeError, match="attach it to a message"):
        pickle.dumps(pipe.handle0)


def offender(obj: object, parts: Callable[[], dict[str, object]] | None = None) -> str:
    """The note of the error that encoding it raises."""
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)) as caught:
        encode(obj, b"", parts)
    return str(caught.value.__notes__[0])


def test_the_path_of_what_cannot_be_pickled() -> None:
    lock = threading.Lock()
    args = (1, {"key": Parcel("p", [Slots(lock)])})
    path = "args[1]['key'].contents[0].thing"
    assert offender(args, lambda: {"args": args, "kwargs": None}) == (
        f"This is about {path}, of the type lock."
    )
    assert "kwargs['a']" in offender({"a": lock}, lambda: {"args": (), "kwargs": {"a": lock}})
    assert "object (a key)" in offender({lock: 1})
    assert "object (a member)" in offender({lock})
    assert "object[0].args[0]" in offender([ValueError(lock)])


def test_a_cycle_does_not_keep_the_search_busy() -> None:
    cycle: list[Any] = [1]
    cycle += [cycle, Parcel("p", cycle), threading.Lock()]
    assert "lock" in offender(cycle)


def test_the_main_modules_things_are_refused_where_nobody_can_import_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def is_importable() -> bool:
        return False

    monkeypatch.setattr(main_module, "is_importable", is_importable)
    monkeypatch.setattr(Parcel, "__module__", "__main__")
    monkeypatch.setattr("__main__.Parcel", Parcel, raising=False)
    with pytest.raises(pickle.PicklingError, match="main module"):
        encode([Parcel("p")])
    encode("__main__")  # the word alone is no crime


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        b"\x01" + b"\xff" * 40,
        b"\x01\0\0\0" + b"\0" * 12,
        b"\x80\x05garbage",
        b"\x01\0\0\0" + (1).to_bytes(4, "little") + (4).to_bytes(8, "little") + b"\xff" * 12,
    ],
)
def test_garbage_raises(payload: bytes) -> None:
    near, far = create_message_pipe()
    a, b = create_message_pipe()
    a.write(payload, [far])
    with pytest.raises((DataLossError, EOFError, pickle.UnpicklingError, IndexError, ValueError)):
        decode(b.read())
    assert near.query_signals_state().peer_closed  # what came with it is closed
    for each in (near, a, b):
        each.close()


def test_a_suffix_is_there_whatever_the_rest_is(pipe: MessagePipe) -> None:
    for obj in (1, np.ones(100), np.ones(100_000)):
        encode(obj, b"the end").write_to(pipe.handle0)
        message: Message = pipe.handle1.read()
        handles: list[Handle] = message.take_handles()
        payload = take_payload(message)
        assert bytes(payload[-7:]) == b"the end"
        assert np.all(decode_payload(payload, handles) == obj)
