"""Arrays that several processes see."""

from __future__ import annotations

import operator

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, SupportsIndex

    import numpy as np
    import numpy.typing as npt


def shared_array(
    shape: SupportsIndex | Sequence[SupportsIndex],
    dtype: npt.DTypeLike = float,
    *,
    zeroed: bool = True,
    order: Literal["C", "F"] = "C",
) -> np.ndarray[Any, np.dtype[Any]]:
    """An ordinary numpy array in memory that other processes can see.

    Sent to another process it is not copied, and neither are views of it (slices, transposed,
    read-only ones): as an argument or result of pools and actors, as an argument of
    `spawn_process`, nested in anything. Whoever has one may write to it, and all see it; who does
    so when is for them to agree on. Anybody else who copies or pickles it, such as `copy`,
    `pickle`, `np.save` and multiprocessing, gets an ordinary copy; so are arrays of subclasses.

    The memory lives as long as there is a view of it in any process, then it is used for the next
    shared array. A forked child sees the same memory, but sends copies of it. Any thread.

    Args:
        shape: an int, or one for each dimension.
        dtype: anything numpy takes, without Python objects.
        zeroed: False: what is in it at first may be what was in an earlier one.
        order: "C" or "F", as for `np.zeros`.

    Raises:
        InvalidArgumentError: the dtype holds Python objects, or a size is negative.
        ResourceExhaustedError: it would exceed the memory budget (`set_memory_budget`).
    """
    import numpy as np

    made = np.dtype(dtype)
    if made.hasobject:
        raise _core.InvalidArgumentError(
            f"dtype must not hold Python objects, which exist in one process only, got {made}"
        )
    if order not in ("C", "F"):
        raise _core.InvalidArgumentError(f'order must be "C" or "F", got {order!r}')
    sizes = _sizes(shape)
    nbytes = made.itemsize
    for size in sizes:
        nbytes *= size
    if nbytes == 0:
        return np.zeros(sizes, dtype=made, order=order)  # there is nothing to be shared
    segment = _core.allocate_segment(nbytes, zeroed=zeroed)
    # A view of a view: only this way does numpy hold the memory, not just a reference to it.
    root = np.frombuffer(memoryview(segment), dtype=np.uint8)
    return np.ndarray(sizes, dtype=made, buffer=root, order=order)


def _sizes(shape: Any) -> tuple[int, ...]:
    sizes: tuple[int, ...]
    try:
        sizes = (operator.index(shape),)
    except TypeError:
        try:
            sizes = tuple(operator.index(each) for each in shape)
        except TypeError:
            raise TypeError(f"shape must be an int or a sequence of ints, not {shape!r}") from None
    if any(each < 0 for each in sizes):
        raise _core.InvalidArgumentError(f"shape must not have negative sizes, got {shape!r}")
    return sizes
