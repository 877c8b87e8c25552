"""Processes exchange pipe ends at random: every order is kept, nothing is lost (§13.1, §13.3)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from puppets import Puppet, Remote
from puppets.mingling import Held, Travels, mingle
from puppets.puppet import itself

from mojo_seq import MessagePipe, MessagePipeHandle

PIPES = 12
STEPS = 400


@pytest.mark.parametrize(
    ("processes", "seed"), [(2, 1), (2, 2), (3, 3), (3, 4), (4, 5), (4, 6), (5, 7), (6, 8)]
)
def test_all_to_all(
    puppets: Callable[[], Puppet],
    message_pipes: Callable[[], MessagePipe],
    processes: int,
    seed: int,
) -> None:
    children = [puppets() for _ in range(processes)]
    links: list[list[Remote]] = [[] for _ in children]
    for one, other in itertools.combinations(range(processes), 2):
        ends = message_pipes()
        links[one].append(children[one].give(ends.handle0))
        links[other].append(children[other].give(ends.handle1))

    held: list[Held] = []
    for number in range(PIPES):
        for side, end in enumerate(message_pipes()):
            held.append(Held(Travels(number, side, 0, 0), end))
    for turn in range(3):  # each time all come together here, and are dealt anew
        for number, child in enumerate(children):
            mine = [(each.travels(), each.handle) for each in held[number::processes]]
            dealt = child.call(itself, mine)
            child.begin(mingle, links[number], dealt, seed * 100 + turn * 10 + number, STEPS)
        held = [Held(*each) for child in children for each in child.finish()]
        assert len(held) == 2 * PIPES
    check(sorted(held, key=lambda each: (each.pipe, each.side)))


def check(held: list[Held]) -> None:
    """What is still unread is read; then each side has read all that the other has written."""
    for one, other in zip(held[::2], held[1::2], strict=True):
        assert (one.pipe, one.side, other.side) == (other.pipe, 0, 1)
        for each in (one, other):
            assert isinstance(each.handle, MessagePipeHandle)
            each.read_all()
        assert (one.read, other.read) == (other.written, one.written)
        one.handle.close()
        other.handle.close()
    assert sum(each.written for each in held) > 100
