"""What workers need to import."""

from __future__ import annotations


def same(item: object) -> object:
    return item
