"""Arrays that several processes see: what they are, and what is sent of them."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mojo_seq import InvalidArgumentError, MessagePipe, _core, create_message_pipe
from mojo_seq.process import memory_statistics, shared_array
from mojo_seq.process.object_codec import decode, encode

Array = np.ndarray[Any, np.dtype[Any]]
POINT = np.dtype([("x", "<f4"), ("name", "S5"), ("when", "M8[s]")])


@pytest.fixture(params=["here", "through a socket"])
def pipe(request: pytest.FixtureRequest) -> Iterator[MessagePipe]:
    if request.param == "here":
        made = create_message_pipe()
    else:
        made = MessagePipe(*request.getfixturevalue("remote_pipe"))
    yield made
    for end in made:
        end.close()


def passed(pipe: MessagePipe, obj: Any, **options: Any) -> Any:
    """What arrives at the other end."""
    encode(obj, **options).write_to(pipe.handle0)
    _core.wait(pipe.handle1, _core.Signals.READABLE, 30.0)
    return decode(pipe.handle1.read())


def are_one(a: Array, b: Array) -> bool:
    """They are views of the same memory, and look the same."""
    place = "__array_interface__"
    same = getattr(a, place)["data"] == getattr(b, place)["data"]
    return same and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)


def view_of(array: Any) -> memoryview:
    return memoryview(array)


# --- what it is ---


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [float, "u1", "c16", "M8[ns]", "S3", "U7", POINT, "?"])
@pytest.mark.parametrize("shape", [1, (), (3, 5), (2, 3, 4), [7]])
def test_it_is_an_ordinary_array_of_zeros(shape: Any, dtype: Any, order: Any) -> None:
    array, expected = shared_array(shape, dtype, order=order), np.zeros(shape, dtype, order)
    assert type(array) is np.ndarray
    assert array.flags.writeable and array.flags.aligned
    assert (array.shape, array.strides, array.dtype) == (
        expected.shape,
        expected.strides,
        expected.dtype,
    )
    assert array.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [0, (3, 0), (0, 0, 5)])
def test_one_without_items_shares_nothing(shape: Any) -> None:
    array = shared_array(shape, "i2")
    assert (array.shape, array.size) == (np.zeros(shape).shape, 0)
    assert _core.shared_segment_count() == 0


def test_what_there_was_is_only_kept_if_that_is_allowed() -> None:
    array = shared_array(1000)
    array[:] = 5
    del array
    assert (shared_array(1000) == 0).all()
    array = shared_array(1000)
    array[:] = 5
    del array
    assert (shared_array(1000, zeroed=False) == 5).all()


@pytest.mark.parametrize("dtype", [object, [("a", "i4"), ("b", "O")]])
def test_python_objects_cannot_be_shared(dtype: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="must not hold Python objects"):
        shared_array(3, dtype)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((-1,), InvalidArgumentError),
        (((2, -3),), InvalidArgumentError),
        ((2.5,), TypeError),
        (("ab",), TypeError),
        ((None,), TypeError),
        ((3, "no such type"), TypeError),
    ],
)
def test_what_is_no_shape_or_dtype(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        shared_array(*arguments)


def test_an_unknown_order() -> None:
    with pytest.raises(InvalidArgumentError, match="order"):
        shared_array(3, order="A")  # type: ignore[arg-type]


def test_memory_is_used_again_when_the_last_view_is_gone() -> None:
    array = shared_array(100_000)
    address = array.ctypes.data
    view = array[500:]
    del array
    assert shared_array(100_000).ctypes.data != address
    del view
    assert shared_array(100_000).ctypes.data in (address, shared_array(100_000).ctypes.data)
    assert _core.shared_segment_count() == 0


def test_views_of_all_kinds_keep_the_memory() -> None:
    array = shared_array(1000, "u1")
    views: list[Any] = [
        array[10:],
        view_of(array),
        array.view("i4"),
        np.asarray(array).reshape(10, 100).T,
        np.frombuffer(view_of(array)[8:], "i8"),
        np.from_dlpack(array),
    ]
    array[:] = 7
    del array
    while views:
        shared_array(1000, "u1")[:] = 9  # in other memory
        assert np.asarray(views[-1]).view("u1").flat[0] == 7
        views.pop()
    assert memory_statistics().in_use == 0


def test_a_cycle_of_garbage_gives_the_memory_back() -> None:
    cycle: list[Any] = [shared_array(1000)]
    cycle.append(cycle)
    assert _core.shared_segment_count() == 1
    del cycle
    gc.collect()
    assert _core.shared_segment_count() == 0


# --- what is sent ---


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[3],
        lambda a: a[::2, ::-3],
        lambda a: a.T,
        lambda a: a[1:2, 1:2].reshape(()),
        lambda a: np.broadcast_to(a[0], (4, 30)),
        lambda a: a.view("u1")[:, 5:9],
        lambda a: a.view("M8[ns]"),
        lambda a: a.reshape(-1)[7:8],
    ],
)
def test_a_view_that_is_sent_is_a_view_of_the_same_memory(pipe: MessagePipe, view: Any) -> None:
    array = shared_array((20, 30))
    array[:] = np.arange(600).reshape(20, 30)
    sent = view(array)
    arrived = passed(pipe, {"deep": [(sent,)]})["deep"][0][0]
    assert type(arrived) is np.ndarray and are_one(sent, arrived)
    assert arrived.flags.writeable == sent.flags.writeable


@pytest.mark.parametrize("read_only", [False, True])
def test_it_can_be_written_to_on_both_sides(pipe: MessagePipe, read_only: bool) -> None:
    array = shared_array((20, 30), order="F")
    arrived = passed(pipe, array, read_only=read_only)
    arrived[2, 3] = 1
    array[4, 5] = 2
    assert array[2, 3] == 1 and arrived[4, 5] == 2


def test_a_read_only_view_is_read_only_there(pipe: MessagePipe) -> None:
    array = shared_array((20, 30))
    for view in (array[:], array[::2, ::2]):
        view.flags.writeable = False
        arrived = passed(pipe, view)
        assert are_one(arrived, view) and not arrived.flags.writeable


def test_one_array_twice_is_one_array_and_views_share_its_memory(pipe: MessagePipe) -> None:
    array = shared_array(1000)
    first, second, part = passed(pipe, (array, array, array[10:20]))
    assert first is second
    first[12] = 5
    assert part[2] == 5


def test_beside_ordinary_arrays_and_handles(pipe: MessagePipe) -> None:
    array, near_far = shared_array(10), create_message_pipe()
    ordinary = np.arange(100_000.0)
    there, copied, handle, small = passed(pipe, (array, ordinary, near_far[1], np.arange(3)))
    array[:] = 3
    assert (there == 3).all() and (copied == ordinary).all() and (small == [0, 1, 2]).all()
    handle.write(b"x")
    assert bytes(near_far[0].read()) == b"x"
    handle.close()
    near_far[0].close()


def test_what_arrived_outlives_what_was_sent(pipe: MessagePipe) -> None:
    array = shared_array(1000)
    array[:] = 4
    arrived = passed(pipe, array)
    del array
    shared_array(1000)[:] = 9
    assert (arrived == 4).all()
    again = passed(pipe, arrived)
    assert are_one(again, arrived)


def test_a_message_that_is_never_read_keeps_nothing() -> None:
    pipe = create_message_pipe()
    encode(shared_array(1000)).write_to(pipe.handle0)
    assert _core.shared_segment_count() == 1
    for end in pipe:
        end.close()
    assert _core.shared_segment_count() == 0


def test_it_is_shared_wherever_a_buffer_of_it_is(pipe: MessagePipe) -> None:
    """Not only numpy's arrays: whatever pickles with buffers beside it, as Arrow does."""
    array = shared_array(1000, "u1")
    arrived = passed(pipe, pickle.PickleBuffer(view_of(array)[100:200]))
    arrived[0] = 77
    assert array[100] == 77


def test_subclasses_and_object_arrays_are_copied(pipe: MessagePipe) -> None:
    array = shared_array(4)
    masked = np.ma.masked_array(array, mask=np.array([0, 1, 0, 0], bool))
    arrived = passed(pipe, [masked, np.array([array, None], dtype=object)])
    array[:] = 8
    assert arrived[0].mask.tolist() == [False, True, False, False]
    assert arrived[0].data[0] == 0
    assert (arrived[1][0] == 8).all()  # but the arrays in an array of objects are shared


@pytest.mark.parametrize("keep", [False, True])
def test_an_encoded_one_is_laid_out_or_sent_later(pipe: MessagePipe, keep: bool) -> None:
    array = shared_array(1000)
    encoded = encode([array, np.ones(5000)])
    encoded.keep = keep
    encoded.freeze()
    encoded.write_to(pipe.handle0)
    _core.wait(pipe.handle1, _core.Signals.READABLE, 30.0)
    arrived = decode(pipe.handle1.read())
    assert are_one(arrived[0], array) and arrived[1].sum() == 5000
    encoded.discard()


# --- what everybody else gets ---


@pytest.mark.parametrize(
    "copied",
    [
        lambda a: pickle.loads(pickle.dumps(a)),
        lambda a: pickle.loads(pickle.dumps(a, protocol=5)),
        copy.copy,
        copy.deepcopy,
        lambda a: copy.deepcopy({"a": a})["a"],
        np.array,
        lambda a: a + 0,
    ],
)
def test_others_get_an_ordinary_copy(copied: Any) -> None:
    array = shared_array((3, 4))
    array[:] = 5
    for view in (array, array[::2]):
        made = copied(view)
        assert type(made) is np.ndarray and (made == 5).all()
        assert _core.find_segment_at(made.ctypes.data, 1) is None


def test_it_can_be_saved() -> None:
    array = shared_array(10)
    file = io.BytesIO()
    np.save(file, array)
    file.seek(0)
    assert (np.load(file) == array).all()


# --- misuse ---


def test_many_threads_make_send_and_drop_arrays() -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        pipe = create_message_pipe()
        try:
            for turn in range(200):
                array = shared_array(1000 + 100 * (turn % 7))
                array[:] = number
                arrived = passed(pipe, [array[::2], array])
                del array
                assert (arrived[0] == number).all() and (arrived[1] == number).all()
        except BaseException as error:
            errors.append(error)
        finally:
            for end in pipe:
                end.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not errors
    assert _core.shared_segment_count() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload[:-8],  # the pickle is cut
        lambda payload: payload.replace(b"\x01\x00\x00\x00\x01", b"\x01\x00\x00\x00\xff"),
        lambda payload: payload[:16] + b"\xff" * 8 + payload[24:],  # an enormous buffer
        lambda payload: payload[:24] + b"\xff" * 8 + payload[32:],  # at an enormous place
        lambda payload: payload[:32] + b"\x09" + payload[33:],  # in a handle that is not there
    ],
)
def test_nonsense_about_segments_raises(change: Any) -> None:
    pipe = create_message_pipe()
    encode(shared_array(1000)).write_to(pipe.handle0)
    message = pipe.handle1.read()
    pipe.handle0.write(change(bytes(message)), message.take_handles())
    with pytest.raises((_core.DataLossError, pickle.UnpicklingError, EOFError, ValueError)):
        decode(pipe.handle1.read())
    for end in pipe:
        end.close()
    assert _core.shared_segment_count() == 0
