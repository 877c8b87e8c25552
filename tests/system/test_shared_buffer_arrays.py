"""numpy arrays on shared buffers (public contract §5)."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mojo_seq import InvalidArgumentError, SharedBufferHandle, SharedBufferMapping

SharedBuffers = Callable[[int], SharedBufferHandle]
Source = SharedBufferHandle | SharedBufferMapping


@pytest.fixture(params=["handle", "mapping"])
def source(request: pytest.FixtureRequest, shared_buffers: SharedBuffers) -> Source:
    """96 bytes, as a handle and as a mapping of it: both have the same `as_array`."""
    handle = shared_buffers(96)
    return handle if request.param == "handle" else handle.map()


def test_default_array_covers_everything(source: Source) -> None:
    """Public contract §5."""
    array: Any = source.as_array(np.float64)
    assert (array.shape, array.dtype, array.nbytes) == ((12,), np.float64, 96)
    assert array.flags.writeable
    assert (array == 0).all()


@pytest.mark.parametrize("dtype", ["<i4", np.dtype(">u2"), float, np.complex128, "S3"], ids=repr)
def test_dtype_is_anything_that_numpy_takes(source: Source, dtype: Any) -> None:
    """Public contract §5."""
    array: Any = source.as_array(dtype)
    assert array.dtype == np.dtype(dtype)


def test_shape_offset_and_order(source: Source) -> None:
    """Public contract §5: like `np.ndarray(buffer=...)`, offset in bytes."""
    flat: Any = source.as_array(np.uint8)
    flat[:] = np.arange(96)
    c_order: Any = source.as_array(np.uint8, (2, 3), offset=10)
    assert c_order.tolist() == [[10, 11, 12], [13, 14, 15]]
    f_order: Any = source.as_array(np.uint8, (2, 3), offset=10, order="F")
    assert f_order.tolist() == [[10, 12, 14], [11, 13, 15]]


def test_offset_need_not_be_aligned(source: Source) -> None:
    """System rules §6: nor does numpy ask for it."""
    array: Any = source.as_array("<u4", (2,), offset=1)
    array[:] = [1, 2]
    flat: Any = source.as_array(np.uint8)
    assert flat[:9].tolist() == [0, 1, 0, 0, 0, 2, 0, 0, 0]


def test_integer_shape(source: Source) -> None:
    """What numpy users write."""
    array: Any = source.as_array(np.int16, 5)
    assert array.shape == (5,)


@pytest.mark.parametrize(
    "arguments",
    [
        {"dtype": np.uint8, "shape": (97,)},
        {"dtype": np.float64, "shape": (12,), "offset": 8},
        {"dtype": np.uint8, "offset": 97},
        {"dtype": np.uint8, "shape": (1,), "offset": 96},
        {"dtype": np.uint8, "shape": (1,), "offset": -1},
        {"dtype": np.uint8, "shape": (1,), "offset": 2**64},
        {"dtype": np.uint8, "shape": (2**40, 2**40)},
        {"dtype": np.uint8, "shape": (-1,)},
    ],
    ids=repr,
)
def test_array_outside_the_memory_is_invalid(source: Source, arguments: dict[str, Any]) -> None:
    """Public contract §5: bad offset or length."""
    with pytest.raises(InvalidArgumentError):
        source.as_array(**arguments)


def test_default_shape_is_as_many_whole_items_as_fit(source: Source) -> None:
    """As for windows: a rest at the end is no error."""
    assert source.as_array("S7").shape == (13,)
    assert source.as_array("S7", offset=90).shape == (0,)


def test_arrays_of_objects_are_refused(source: Source) -> None:
    """Pointers in shared memory would be a crash in waiting."""
    with pytest.raises((TypeError, ValueError)):
        source.as_array(object)


def test_order_must_be_c_or_f(source: Source) -> None:
    """Public contract §5."""
    wrong: Any = "Z"
    with pytest.raises(ValueError):
        source.as_array(np.uint8, (2, 3), order=wrong)


def test_dtype_of_the_wrong_type(source: Source) -> None:
    """Public contract §1."""
    wrong: Any = 5
    with pytest.raises(TypeError):
        source.as_array(wrong)


def test_array_outlives_handle_and_mapping(shared_buffers: SharedBuffers) -> None:
    """Public contract §5."""
    handle = shared_buffers(8)
    with handle.duplicate() as witness:
        array: Any = handle.as_array(np.int64)
        handle.close()
        gc.collect()
        array[0] = 42
        other: Any = witness.as_array(np.int64)
        assert other[0] == 42


def test_array_keeps_a_dropped_mapping_alive(shared_buffers: SharedBuffers) -> None:
    """Public contract §5."""
    mapping = shared_buffers(8).map()
    array: Any = mapping.as_array(np.int64)
    del mapping
    gc.collect()
    array[0] = 42
    assert array[0] == 42


def test_slices_keep_the_memory_alive(shared_buffers: SharedBuffers) -> None:
    """numpy collapses chains of views; the owner of the memory must stay in them."""
    handle = shared_buffers(4096)
    part: Any = handle.as_array(np.uint8)[100:200].reshape(10, 10).T
    handle.close()
    gc.collect()
    part[...] = 9
    assert (part == 9).all()


@pytest.fixture
def reader(shared_buffers: SharedBuffers, closing: list[Any]) -> SharedBufferHandle:
    """A read-only handle."""
    handle = shared_buffers(96).duplicate(read_only=True)
    closing.append(handle)
    return handle


def ways(reader: SharedBufferHandle) -> dict[str, Any]:
    """Every way of making an array on read-only memory."""
    mapping: Any = reader.map()
    return {
        "handle": reader.as_array(np.uint8),
        "mapping": mapping.as_array(np.uint8),
        "asarray": np.asarray(mapping),
        "frombuffer": np.frombuffer(mapping, np.uint8),
        "ndarray": np.ndarray((96,), np.uint8, buffer=mapping),
    }


@pytest.mark.parametrize("way", ["handle", "mapping", "asarray", "frombuffer", "ndarray"])
def test_arrays_on_read_only_memory_are_not_writeable(reader: SharedBufferHandle, way: str) -> None:
    """Public contract §5: writing raises instead of crashing."""
    array = ways(reader)[way]
    assert not array.flags.writeable
    with pytest.raises(ValueError):
        array[0] = 1


@pytest.mark.parametrize("way", ["handle", "mapping", "asarray", "frombuffer", "ndarray"])
def test_arrays_on_read_only_memory_cannot_be_made_writeable(
    reader: SharedBufferHandle, way: str
) -> None:
    """Public contract §5: not by setting the flag either."""
    array = ways(reader)[way]
    with pytest.raises(ValueError):
        array.flags.writeable = True
