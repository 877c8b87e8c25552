"""Probe: what a process has, as seen from within it."""

from __future__ import annotations

import gc
import os

from mojo_seq import Actor
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.testing import leak_check


class Probe(Actor):
    """Tells what its process has."""

    def pid(self) -> int:
        return os.getpid()

    def holdings(self) -> dict[str, int]:
        """Engine objects, threads, descriptors and what the collector knows of actors.

        What other processes tell of actors' ends is read first: nobody may have had to.
        """
        for each in [each for each in gc.get_objects() if isinstance(each, Connection)]:
            each.look()
        held = leak_check.state(descriptors=True)
        actors = [each for each in gc.get_objects() if isinstance(each, Actor)]
        return {
            **held.engine_objects,
            "threads": len(held.threads),
            "descriptors": len(held.descriptors),
            "actors": len(actors),
        }
