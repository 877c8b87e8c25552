"""The asks in whose service something happens, told to other processes by tokens."""

from __future__ import annotations

import itertools
import os

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Token = tuple[bytes, int]


class _Process:
    """Who asks."""

    id: bytes
    numbers: Iterator[int]


def _begin() -> None:
    _Process.id = os.urandom(16)
    _Process.numbers = itertools.count(1)


_begin()
os.register_at_fork(after_in_child=_begin)


def client_id() -> bytes:
    """What this process is known by to the nodes that it talks to."""
    return _Process.id


def next_ask() -> int:
    """A number for an ask; with the client's id it is the ask's token."""
    return next(_Process.numbers)


def tokens_here() -> frozenset[Token] | None:
    """The tokens of the asks in whose service the current message is; None: it is in nobody's."""
    cell = _core.current_cell()
    return None if cell is None else tokens_of(cell.current_chain())


def tokens_of(chain: Any) -> frozenset[Token] | None:
    """The same of a chain as the core has it: (reply, chain), or the tokens themselves, or None."""
    if chain is None:
        return None
    tokens = set()
    while type(chain) is tuple:
        reply, chain = chain
        if reply.token is None:
            reply.token = (_Process.id, next(_Process.numbers))
        tokens.add(reply.token)
    if chain:
        tokens |= chain
    return frozenset(tokens)
