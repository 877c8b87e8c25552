"""Property: any array arrives as it was, however it lies in memory and however it is sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mojo_seq import MessagePipeHandle, _core
from mojo_seq.process import give, shared_array
from mojo_seq.process.object_codec import decode, encode

Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = st.one_of(
    arrays.scalar_dtypes(),
    arrays.byte_string_dtypes(min_len=1),
    arrays.unicode_string_dtypes(min_len=1),
    arrays.array_dtypes(arrays.integer_dtypes() | arrays.datetime64_dtypes(), max_size=3),
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)


@st.composite
def laid_out(draw: st.DrawFn) -> tuple[Array, Array]:
    """An ordinary array and a shared one with the same items, and the same view of both."""
    dtype, shape = draw(DTYPES), draw(SHAPES)
    shared = shared_array(shape, dtype, order=draw(st.sampled_from(["C", "F"])))
    root = shared.base
    if root is not None and dtype.kind != "U":  # not all bytes are characters
        content = draw(st.binary(min_size=shared.nbytes, max_size=shared.nbytes))
        root[: shared.nbytes] = np.frombuffer(content, "u1") & 1
    ordinary = shared.copy(order="K")
    if ordinary.ndim and draw(st.booleans()):
        index = draw(arrays.basic_indices(ordinary.shape, allow_ellipsis=False))
        ordinary, shared = np.asarray(ordinary[index]), np.asarray(shared[index])
    if draw(st.booleans()):
        ordinary, shared = ordinary.T, shared.T
    return ordinary, shared


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pair=laid_out(),
    read_only=st.booleans(),
    how=st.sampled_from(["plain", "given", "shared"]),
)
def test_any_array_arrives_as_it_was(
    remote_pipe: tuple[MessagePipeHandle, MessagePipeHandle],
    pair: tuple[Array, Array],
    read_only: bool,
    how: str,
) -> None:
    ordinary, shared = pair
    sent = {"plain": ordinary, "given": give(ordinary), "shared": shared}[how]
    encode({"it": [sent]}, read_only=read_only).write_to(remote_pipe[0])
    _core.wait(remote_pipe[1], _core.Signals.READABLE, 30.0)
    arrived = decode(remote_pipe[1].read())["it"][0]
    assert type(arrived) is np.ndarray
    assert arrived.shape == ordinary.shape
    if how == "shared" and shared.size:
        assert arrived.dtype == shared.dtype
    # Where numpy copies it may change the order of the bytes to the machine's.
    native = ordinary.dtype.newbyteorder("=")
    assert arrived.dtype.newbyteorder("=") == native
    assert arrived.astype(native).tobytes() == ordinary.astype(native).tobytes()
    if how == "given":
        assert arrived.flags.writeable
    is_plain = ordinary.flags.c_contiguous and ordinary.dtype.itemsize and _is_simple(ordinary)
    if how == "plain" and read_only and is_plain:
        assert not arrived.flags.writeable
    if how == "shared" and _core.find_segment_at(address(shared), 1) and shared.size:
        assert address(arrived) == address(shared)


def address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _is_simple(array: Array) -> bool:
    """numpy lets it be sent beside the pickle."""
    try:
        memoryview(array)  # type: ignore[arg-type, unused-ignore]
    except (ValueError, BufferError):
        return False
    return True


@pytest.mark.parametrize("count", [255, 256, 257, 8191, 8192, 8193, 1 << 17])
@pytest.mark.parametrize("read_only", [False, True])
def test_sizes_at_which_something_changes(
    remote_pipe: tuple[MessagePipeHandle, MessagePipeHandle], count: int, read_only: bool
) -> None:
    array = np.arange(count, dtype=float)
    encode([array, count], read_only=read_only).write_to(remote_pipe[0])
    _core.wait(remote_pipe[1], _core.Signals.READABLE, 30.0)
    arrived = decode(remote_pipe[1].read())
    assert (arrived[0] == array).all() and arrived[1] == count
    assert arrived[0].flags.writeable != read_only
