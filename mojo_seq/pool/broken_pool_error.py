"""BrokenPoolError: what all futures of a pool get whose workers cannot run tasks."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor

from mojo_seq import _core


class BrokenPoolError(_core.FailedPreconditionError, BrokenExecutor):
    """FAILED_PRECONDITION: the pool's initializer has failed, or its workers end again and again
    before they run anything. It stays like that; the cause is attached."""

    __module__ = "mojo_seq"
