"""Spawning when it is too late."""

from __future__ import annotations

from mojo_seq import MojoError, StopReason
from troupe.basic import Counter, Puppet


class LateParent(Puppet):
    def on_stop(self, reason: StopReason) -> None:
        try:
            self.spawn(Counter)
        except MojoError as error:
            self.note(type(error).__name__)
        else:
            self.note("spawned")
