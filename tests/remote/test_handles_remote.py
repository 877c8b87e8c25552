"""Every kind of handle crosses, from anyone to anyone (system rules §4.5, §13.8; contract §10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from puppets import Puppet
from puppets.family import Grandchild, Here, Relative
from puppets.handles import DIRECTIONS, TRAVELLER, get, make, put
from puppets.moves import pass_on
from puppets.pipes import receive_handle
from puppets.puppet import itself

from mojo_seq import Handle, MessagePipe

MessagePipes = Callable[[], MessagePipe]
Puppets = Callable[[], Puppet]

kinds = pytest.mark.parametrize("kind", DIRECTIONS)


def check(kind: str, sender: Relative, receiver: Relative, ends: tuple[object, object]) -> None:
    """Makes a pair at the sender, sends one of it over the pipe between the two, uses both."""
    for direction in DIRECTIONS[kind]:
        traveller, other = sender.call(make, kind)
        sender.call(pass_on, ends[0], traveller)
        arrived = receiver.call(receive_handle, ends[1])
        near, far = (sender, other), (receiver, arrived)
        (writer, source), (reader, sink) = (far, near) if direction == TRAVELLER else (near, far)
        writer.call(put, source, b"contents")
        assert reader.call(get, sink, 8) == b"contents"
        for person, handle in (near, far):
            person.call(close, handle)


def close(handle: Handle) -> None:
    handle.close()


@kinds
def test_from_parent_to_child(child: Puppet, message_pipes: MessagePipes, kind: str) -> None:
    """Public contract §10."""
    a, b = message_pipes()
    check(kind, Here(), child, (a, child.give(b)))


@kinds
def test_from_child_to_parent(child: Puppet, message_pipes: MessagePipes, kind: str) -> None:
    """Public contract §10."""
    a, b = message_pipes()
    check(kind, child, Here(), (child.give(b), a))


@kinds
def test_from_child_to_child(puppets: Puppets, message_pipes: MessagePipes, kind: str) -> None:
    """System rules §13.8: over a pipe between them."""
    first, second = puppets(), puppets()
    a, b = message_pipes()
    check(kind, first, second, (first.give(a), second.give(b)))


@kinds
def test_from_cousin_to_cousin(puppets: Puppets, message_pipes: MessagePipes, kind: str) -> None:
    """System rules §13.8, §6: two grandchildren by different parents."""
    parents = puppets(), puppets()
    first, second = map(Grandchild, parents)
    a, b = message_pipes()
    ends = tuple(
        cousin.call(itself, parent.give(end))
        for cousin, parent, end in zip((first, second), parents, (a, b), strict=True)
    )
    check(kind, first, second, (ends[0], ends[1]))
