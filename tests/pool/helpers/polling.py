"""Waiting for what nobody tells of."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMEOUT = 30.0


def eventually(condition: Callable[[], object]) -> None:
    """Returns when `condition()` is true."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.005)
