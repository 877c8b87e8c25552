"""Pickling where there are shared arrays: they are recognised wherever they are in an object."""

from __future__ import annotations

import io
import pickle
import sys
from functools import cache

from mojo_seq.process.array_transfer import reduce_shared

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def dumps_with(
    pickler: type[pickle.Pickler] | None,
    obj: object,
    protocol: int,
    take_buffer: Callable[[pickle.PickleBuffer], Any],
) -> bytes:
    """Pickles with a Pickler class; None: pickle's own."""
    target = io.BytesIO()
    base: Any = pickler or pickle.Pickler
    _sharing(base)(target, protocol, buffer_callback=take_buffer).dump(obj)
    return target.getvalue()


def _make_sharing(base: Any) -> Any:
    """A class that asks about arrays before numpy is asked, which would copy what is not
    contiguous."""
    inherited = getattr(base, "reducer_override", lambda self, obj: NotImplemented)

    def reducer_override(self: Any, obj: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(obj) is numpy.ndarray:
            reduced = reduce_shared(obj)
            if reduced is not None:
                return reduced
        return inherited(self, obj)

    return type("SharingPickler", (base,), {"reducer_override": reducer_override})


_sharing = cache(_make_sharing)
