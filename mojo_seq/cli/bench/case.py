"""One thing that users can have measured."""

from __future__ import annotations

from dataclasses import dataclass

from mojo_seq.cli.bench.contender import Contender


@dataclass(frozen=True)
class Case:
    """A thing to do, and the ways to do it. The first one is ours: the others are compared to it.

    What a contender's sample returns is in `unit`. Its processor time is that of one operation: of
    a round trip, a message, a call, a task.
    """

    title: str
    unit: str
    contenders: tuple[Contender, ...]
    higher_is_better: bool = False

    def contender(self, name: str) -> Contender:
        return next(each for each in self.contenders if each.name == name)
