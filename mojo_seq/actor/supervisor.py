"""Supervisor: what a parent does when a child fails."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Reversible

_STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
_MOST_BACKOFF = 60.0

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Supervisor:
    """What becomes of an actor's children when one of them fails (Erlang/OTP's supervisors).

    A failed child is restarted: a new object of its class, made with the same arguments, goes on
    with the same mailbox, under the same refs and name.

    Args:
        strategy: which children are restarted. "one_for_one": the one that failed; "one_for_all":
            all; "rest_for_one": it, and those that were spawned after it.
        max_restarts: how many failures within `within` seconds are answered so. One more, and the
            parent itself fails with that error, which is its own parent's business (at the top:
            the child is stopped and the error is logged).
        within: seconds.
        backoff: seconds to wait before a restart; twice as long for each further failure within
            `within`, at most a minute.

    Raises:
        ValueError: an argument is out of range.
    """

    strategy: str = "one_for_one"
    max_restarts: int = 3
    within: float = 5.0
    backoff: float = 0.0

    def __post_init__(self) -> None:
        if self.strategy not in _STRATEGIES:
            raise ValueError(
                f"strategy must be one of {', '.join(_STRATEGIES)}, got {self.strategy!r}"
            )
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts must not be negative, got {self.max_restarts}")
        if not self.within > 0:
            raise ValueError(f"within must be more than 0 seconds, got {self.within}")
        if not 0 <= self.backoff < float("inf"):
            raise ValueError(f"backoff must be 0 or more seconds, got {self.backoff}")


class RestartRecord:
    """The recent failures of one parent's children. Owned by the guardian's sequence."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._failures = deque[float]()

    def note(self, now: float) -> float | None:
        """Notes a failure.

        Returns:
            Seconds to wait before the restart, or None: there were too many.
        """
        failures = self._failures
        failures.append(now)
        while failures and failures[0] <= now - self.supervisor.within:
            failures.popleft()
        if len(failures) > self.supervisor.max_restarts:
            return None
        return min(self.supervisor.backoff * 2.0 ** min(len(failures) - 1, 64), _MOST_BACKOFF)

    def affected(self, failed: C, children: Reversible[C]) -> list[C]:
        """Which of the children (in the order of spawning) are restarted. Looks at no others: there
        may be very many."""
        if self.supervisor.strategy == "one_for_one":
            return [failed]
        if self.supervisor.strategy == "one_for_all":
            return list(children)
        rest = []
        for child in reversed(children):
            rest.append(child)
            if child is failed:
                break
        return rest[::-1]
