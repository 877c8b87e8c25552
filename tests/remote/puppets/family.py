"""Processes that are used in the same way, near and far: this one, a child, a grandchild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from puppets.puppet import Puppet, Remote


class Relative(Protocol):
    """A process in which functions can be called, with objects that live there. A puppet is one."""

    def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any: ...


class Here:
    """The process of the test itself."""

    def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        return function(*args, **options)


def start_puppet() -> Puppet:
    """Told to a puppet, it starts one of its own: a grandchild of the test."""
    return Puppet()


class Grandchild:
    """A child's child. What lives there is known to its parent, by which the test knows it."""

    def __init__(self, parent: Puppet) -> None:
        self.puppet: Remote = parent.call(start_puppet)

    def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        return self.puppet.call(function, *args, **options)
