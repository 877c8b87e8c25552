"""One way to do the thing that is measured."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from mojo_seq.cli.bench.scale import Scale


@dataclass(frozen=True)
class Contender:
    """A way of doing it: ours, or that of a peer."""

    name: str
    sample: Callable[[Scale], float]  # one complete sample, in the measure's unit
    requires: str | None = None  # the module of a peer

    @property
    def is_installed(self) -> bool:
        """It is ours, or the peer is there. Nothing is imported."""
        return self.requires is None or importlib.util.find_spec(self.requires) is not None
