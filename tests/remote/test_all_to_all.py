"""Processes exchange pipe ends at random: every order is kept, nothing is lost (§13.1, §13.3)."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable

import pytest
from puppets import Puppet, Remote
from puppets.mingling import Held, Travels, mingle
from puppets.pipes import wait_for
from puppets.puppet import itself

from mojo_seq import MessagePipe, PeerClosedError, Signals

PIPES = 12
STEPS = 400


class Party:
    """Processes with links between all of them, and ends that are dealt to them."""

    def __init__(self, children: list[Puppet], message_pipes: Callable[[], MessagePipe]) -> None:
        self.children = children
        self._links: dict[Puppet, list[Remote]] = {child: [] for child in children}
        for one, other in itertools.combinations(children, 2):
            ends = message_pipes()
            self._links[one].append(one.give(ends.handle0))
            self._links[other].append(other.give(ends.handle1))
        self.held: list[Held] = []
        for number in range(PIPES):
            for side, end in enumerate(message_pipes()):
                self.held.append(Held(Travels(number, side, 0, 0), end))

    def begin(self, seed: int) -> None:
        """All ends are dealt, and go round."""
        for number, child in enumerate(self.children):
            mine = [
                (each.travels(), each.handle) for each in self.held[number :: len(self.children)]
            ]
            dealt = child.call(itself, mine)
            child.begin(mingle, self._links[child], dealt, seed + number, STEPS)

    def finish(self) -> None:
        """All that is still there comes back, sorted by pipe and side."""
        back = [Held(*each) for child in self.children for each in child.finish()]
        self.held = sorted(back, key=lambda each: (each.pipe, each.side))


@pytest.mark.parametrize(
    ("processes", "seed"), [(2, 1), (2, 2), (3, 3), (3, 4), (4, 5), (4, 6), (5, 7), (6, 8)]
)
def test_all_to_all(
    puppets: Callable[[], Puppet],
    message_pipes: Callable[[], MessagePipe],
    processes: int,
    seed: int,
) -> None:
    """Each side of each pipe has read in order what the other has written: all of it."""
    party = Party([puppets() for _ in range(processes)], message_pipes)
    for turn in range(3):
        party.begin(seed * 100 + turn * 10)
        party.finish()
        assert len(party.held) == 2 * PIPES
    for one, other in zip(party.held[::2], party.held[1::2], strict=True):
        assert (one.pipe, one.side, other.side) == (other.pipe, 0, 1)
        check(one, other)
    assert sum(each.written for each in party.held) > 10


def check(one: Held, other: Held) -> None:
    """What is still unread is read; then each side has read all that the other has written."""
    one.read_all()
    other.read_all()
    assert (one.read, other.read) == (other.written, one.written)
    one.handle.close()
    other.handle.close()


@pytest.mark.parametrize(("processes", "seed"), [(3, 11), (3, 12), (4, 13), (5, 14), (5, 15)])
def test_one_is_killed(
    puppets: Callable[[], Puppet],
    message_pipes: Callable[[], MessagePipe],
    processes: int,
    seed: int,
) -> None:
    """System rules §13.6: what it had is lost, and known to be; all else is as it was."""
    rng = random.Random(seed)
    party = Party([puppets() for _ in range(processes)], message_pipes)
    party.begin(seed * 100)
    party.finish()
    party.begin(seed * 100 + 10)
    time.sleep(rng.random() * 0.03)
    party.children.pop(rng.randrange(processes)).kill()
    party.finish()
    for _, pair in itertools.groupby(party.held, key=lambda each: each.pipe):
        ends = list(pair)
        if len(ends) == 2:
            check(*ends)
        else:
            wait_for(ends[0].handle, Signals.PEER_CLOSED)
            with pytest.raises(PeerClosedError):
                ends[0].read_all()  # in order up to the end
            ends[0].handle.close()
