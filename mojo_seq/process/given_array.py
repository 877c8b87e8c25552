"""GivenArray: what `give` returns. This module is only imported where there is numpy."""

from __future__ import annotations

import numpy as np

from mojo_seq.process.array_transfer import reduce_given
from mojo_seq.process.encoding import here

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    _Array = np.ndarray[Any, np.dtype[Any]]


class GivenArray(np.ndarray):
    """A view of an array that is to be given away. Views of it are not, and what is computed from
    it is an ordinary array."""

    giver: _Array | None = (
        None  # the array that it is a view of; None: it is a view of a GivenArray
    )

    def __array_wrap__(
        self, array: Any, context: object = None, return_scalar: bool = False
    ) -> Any:
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __reduce_ex__(self, protocol: Any) -> Any:
        encoder = here.encoder
        if self.giver is None or encoder is None:
            return self.view(np.ndarray).__reduce_ex__(protocol)
        return reduce_given(self.giver, encoder)


def mark(array: _Array) -> _Array:
    """`give`."""
    if isinstance(array, GivenArray) and array.giver is not None:
        return array
    if type(array) not in (np.ndarray, np.memmap, GivenArray):
        raise TypeError(f"a numpy array can be given away, not {type(array).__name__}")
    made: Any = array.view(GivenArray)
    made.giver = array if type(array) is np.ndarray else array.view(np.ndarray)
    given: _Array = made
    return given
