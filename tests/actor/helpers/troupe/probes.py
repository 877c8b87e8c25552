"""Probe: what a process has, as seen from within it."""

from __future__ import annotations

import gc
import os
import threading

from mojo_seq import Actor, _core


class Probe(Actor):
    """Tells what its process has."""

    def pid(self) -> int:
        return os.getpid()

    def holdings(self) -> dict[str, int]:
        """Engine objects, threads, descriptors and what the collector knows of actors."""
        gc.collect()
        actors = [each for each in gc.get_objects() if isinstance(each, Actor)]
        return {
            **_core.live_objects(),
            "threads": threading.active_count(),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "actors": len(actors),
        }
