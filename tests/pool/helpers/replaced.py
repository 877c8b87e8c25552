"""Functions that are not what they were, or not where they were."""

from __future__ import annotations

from collections.abc import Callable


def first() -> str:
    return "first"


def changed() -> str:
    return "before"


def _after() -> str:
    return "after"


def change() -> None:
    """In the process that calls it, `changed` is another function from now on."""
    _after.__name__ = _after.__qualname__ = "changed"
    globals()["changed"] = _after


def remove() -> None:
    """There is no function `first` any more."""
    globals().pop("first", None)


def make() -> Callable[[], str]:
    def inner() -> str:
        return "inner"

    return inner


class Methods:
    @staticmethod
    def static() -> str:
        return "static"
