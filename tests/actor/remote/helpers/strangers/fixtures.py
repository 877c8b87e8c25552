"""Types of the fixtures, and what all tests wait at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mojo_seq import ActorRef

TIMEOUT = 30.0
"""Seconds."""

Put = Callable[..., ActorRef[Any]]
"""Spawns an actor in a worker process."""
