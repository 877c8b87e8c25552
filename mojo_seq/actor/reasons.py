"""Why an actor ended, and what others are told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from mojo_seq.actor.actor_ref import ActorRef


class StopReason(NamedTuple):
    """Why an actor ended.

    kind: "stopped" (by `stop()`, or with its parent), "killed" (by `kill()`), "failed" (an
    exception, or its process ended), "linked" (an actor that it is linked to failed), "system"
    (the system was shut down).
    error: the exception behind it, or None.
    """

    kind: str
    error: BaseException | None = None


class Down(NamedTuple):
    """What a monitor gets: the actor has ended, for good.

    ref: the actor. reason: why it ended.
    """

    ref: ActorRef[Any]
    reason: StopReason


class DeadLetter(NamedTuple):
    """A tell that no actor will handle.

    ref: whom it was for. method: its name. args: its positional arguments.
    """

    ref: ActorRef[Any]
    method: str
    args: tuple[Any, ...]
