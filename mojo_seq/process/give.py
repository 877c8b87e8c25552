"""Giving arrays away to other processes."""

from __future__ import annotations

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    import numpy as np


def give(array: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Says that an array may be given away by what it is put into: an argument or a result of a
    pool or an actor, at any depth. Whoever receives it can write to it.

    It is not copied if it lies in shared memory (a `shared_array`, or one that came from another
    process and can be written to) and nothing else here looks at the same memory: then it becomes
    read-only here when it is sent, and what it shows from then on is the receiver's affair. In all
    other cases the receiver gets a copy of its own, and nothing changes here. What others have of a
    shared array stays theirs.

    Any thread; nothing happens before it is sent.

    Returns:
        A view of the array, which only has to be sent; everybody else takes it for an array.

    Raises:
        TypeError: it is not a numpy array, or of a class with more to it than its items.
    """
    from mojo_seq.process.given_array import mark

    return mark(array)
