"""Mailbox: how many messages an actor lets wait, and what happens to more."""

from __future__ import annotations

from dataclasses import dataclass, field

_OVERFLOWS = ("block", "fail", "drop_oldest", "drop_newest")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The bound of an actor's mailbox.

    Args:
        capacity: how many messages may wait. Callbacks of the actor's own watches, timers and
            monitors are not counted, nor is what `stop()` and `kill()` do.
        overflow: what becomes of one more. "block": a sender on a thread of its own waits; one on
            a sequence or an event loop gets MailboxFullError, but an ask that is awaited waits.
            "fail": MailboxFullError. "drop_oldest", "drop_newest": a dropped ask fails with
            MailboxFullError, a dropped tell is a dead letter.

    Raises:
        ValueError: capacity is less than 1, or overflow is none of these.
    """

    capacity: int = 1024
    overflow: str = "block"
    overflow_number: int = field(init=False, repr=False, compare=False)  # the core's

    def __post_init__(self) -> None:
        if not isinstance(self.capacity, int):
            raise TypeError(f"capacity must be an int, not {type(self.capacity).__name__}")
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")
        if self.overflow not in _OVERFLOWS:
            raise ValueError(
                f"overflow must be one of {', '.join(_OVERFLOWS)}, got {self.overflow!r}"
            )
        object.__setattr__(self, "overflow_number", _OVERFLOWS.index(self.overflow))
