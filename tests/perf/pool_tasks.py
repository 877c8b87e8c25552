"""What the workers of the measured pools run."""

from __future__ import annotations


def nothing() -> None:
    return


def same(item: object) -> object:
    return item
