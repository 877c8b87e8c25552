"""How much shared memory this process may have."""

from __future__ import annotations

import operator
from collections import namedtuple

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import NamedTuple, SupportsIndex

    class MemoryStatistics(NamedTuple):
        budget: int
        in_use: int
        in_use_count: int
        lent: int
        lent_count: int
        kept: int
        kept_count: int

else:
    MemoryStatistics = namedtuple(
        "MemoryStatistics",
        "budget in_use in_use_count lent lent_count kept kept_count",
        module="mojo_seq",
    )
    MemoryStatistics.__doc__ = """The shared memory of this process for arrays and large messages,
    in bytes and pieces.
    """
    for _field, _doc in {
        "budget": "What there may be, in bytes.",
        "in_use": "Bytes of arrays and messages here.",
        "in_use_count": "In how many pieces.",
        "lent": "Bytes made here, in use in other processes only, for a minute at most.",
        "lent_count": "In how many pieces.",
        "kept": "Bytes for the next array or message; they make room as soon as it is needed.",
        "kept_count": "In how many pieces.",
    }.items():
        getattr(MemoryStatistics, _field).__doc__ = _doc


def memory_statistics() -> MemoryStatistics:
    """What there is at the moment. Any thread."""
    return MemoryStatistics(_core.memory_budget(), *_core.memory_usage())


def set_memory_budget(nbytes: SupportsIndex | None) -> None:
    """Limits the shared memory of this process: shared arrays, and arguments, results and messages
    of 64 KiB or more. What would exceed it is a ResourceExhaustedError that tells what there is.

    What there is already may stay. Each process has a budget of its own; those that are started
    here begin with that of this process. Any thread.

    Args:
        nbytes: at least 1; None: what it is at first, four fifths of the machine's memory or of the
            limit of the control group (container).

    Raises:
        InvalidArgumentError: nbytes is less than 1.
    """
    limit = 0
    if nbytes is not None:
        limit = operator.index(nbytes)
        if limit < 1:
            raise _core.InvalidArgumentError(f"nbytes must be at least 1, got {limit}")
    _core.set_memory_budget(limit)
