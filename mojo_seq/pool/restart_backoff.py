"""RestartBackoff: how fast workers that die at once are replaced."""

from __future__ import annotations

_EARLY = 1.0  # seconds of life, below which a worker's death says something about the next one's
_FIRST = 0.05
_LONGEST = 1.0


class RestartBackoff:
    """Of one place in a pool. Not thread-safe."""

    def __init__(self) -> None:
        self._early_deaths = 0

    def next_pause(self, lifetime: float) -> float:
        """How long the place stays empty after a worker that lived for `lifetime` seconds.

        Returns:
            Seconds: 0 after a life of a second or more, else twice as long after each such death,
            from 0.05 s to 1 s.
        """
        if lifetime >= _EARLY:
            self._early_deaths = 0
            return 0.0
        pause = min(_FIRST * 2.0 ** min(self._early_deaths, 16), _LONGEST)
        self._early_deaths += 1
        return pause
