"""What the workers of the measured pools run."""

from __future__ import annotations

import os
import time
from typing import Any

NAP = 0.02  # seconds; while one worker sleeps, the others get something to do, too


def nothing() -> None:
    return


def nap() -> int:
    """Which worker it was."""
    time.sleep(NAP)
    return os.getpid()


def ends(array: Any) -> tuple[float, float]:
    return float(array[0]), float(array[-1])


def write(array: Any) -> None:
    array[0], array[-1] = array[-1], array[0]
