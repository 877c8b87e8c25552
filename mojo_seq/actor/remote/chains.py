"""The asks in whose service something happens, told to other processes by tokens."""

from __future__ import annotations

import os

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    _Token = tuple[bytes, int]
    # Who answers it: identity, name, module and name of the class.
    _Who = tuple[tuple[bytes, int], str | None, str, str]
    _Path = dict[_Token, _Who | None]  # the outermost ask first


class _Process:
    """Who asks."""

    id: bytes


def client_id() -> bytes:
    """What this process is known by to the nodes that it talks to."""
    return _Process.id


def path_here() -> _Path | None:
    """The asks in whose service the current message is; None: it is in nobody's."""
    cell = _core.current_cell()
    return None if cell is None else path_of(cell.current_chain())


def path_of(chain: Any) -> _Path | None:
    """The same of a chain as the core has it: (reply, chain), or a frozenset of tokens, or None."""
    if chain is None:
        return None
    found = []
    path: _Path = {}
    while type(chain) is tuple:
        reply, chain = chain
        if reply.token is None:
            reply.token = (_Process.id, _core.next_ask())
        found.append((reply.token, None if reply.target is None else who_is(reply.target)))
        outer = getattr(reply, "path", None)
        if outer is not None:  # it came from another process: so did the rest
            path.update(outer)
            break
    path.update(reversed(found))
    return path


def who_is(target: Any) -> _Who:
    """How the actor that a message is given to is told of."""
    return (target.identity, target.name, *_class_of(target))


def _class_of(target: Any) -> tuple[str, str]:
    description = getattr(target, "description", None)
    if description is not None:
        return description.module, description.qualname
    actor_class = target.actor_class
    return actor_class.__module__, actor_class.__qualname__


def _begin() -> None:
    _Process.id = os.urandom(16)
    _core.begin_asking(_Process.id, path_of)


_begin()
os.register_at_fork(after_in_child=_begin)
