"""xoscar's actor, which its sub-processes import."""

from __future__ import annotations

from typing import Any

import xoscar
from two_processes import place


class Echo(xoscar.StatelessActor):
    """Answers what it was asked."""

    async def ping(self, payload: bytes) -> bytes:
        return payload

    async def look(self, array: Any) -> tuple[float, float]:
        return float(array[0]), float(array[-1])

    async def place(self, core: int) -> None:
        place(core)
