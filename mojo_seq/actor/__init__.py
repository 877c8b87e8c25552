"""Actors: objects bound to sequences, that are asked and told by messages."""

from mojo_seq._core import (
    ActorDeadError,
    ActorMethod,
    AskCycleError,
    MailboxFullError,
)
from mojo_seq.actor.actor import Actor
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.actor_system import ActorSystem
from mojo_seq.actor.interleaved import interleaved
from mojo_seq.actor.mailbox import Mailbox
from mojo_seq.actor.reasons import DeadLetter, Down, StopReason
from mojo_seq.actor.reply import Reply
from mojo_seq.actor.sources import ActorTimer, ActorWatch
from mojo_seq.actor.supervisor import Supervisor

__all__ = [
    "Actor",
    "ActorDeadError",
    "ActorMethod",
    "ActorRef",
    "ActorSystem",
    "ActorTimer",
    "ActorWatch",
    "AskCycleError",
    "DeadLetter",
    "Down",
    "Mailbox",
    "MailboxFullError",
    "Reply",
    "StopReason",
    "Supervisor",
    "interleaved",
]
