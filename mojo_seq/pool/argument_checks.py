"""Checks of what users say about pools and their tasks."""

from __future__ import annotations

from operator import index

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import SupportsIndex


def positive(name: str, number: SupportsIndex) -> int:
    """The number. Raises TypeError or InvalidArgumentError if it is none, or less than 1."""
    if index(number) < 1:
        raise _core.InvalidArgumentError(f"{name} must be at least 1, not {index(number)}")
    return index(number)


def check_timeout(timeout: float | None) -> None:
    """Raises TypeError or InvalidArgumentError."""
    if timeout is not None and not timeout >= 0:
        raise _core.InvalidArgumentError(f"timeout must not be negative, and is {timeout}")
