"""Actors: objects bound to sequences, that are asked and told by messages."""

from mojo_seq._core import (
    ActorDeadError,
    ActorMethod,
    AskCycleError,
    MailboxFullError,
)
from mojo_seq.actor.actor import Actor
from mojo_seq.actor.actor_pool import ActorPool
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.actor_system import ActorSystem
from mojo_seq.actor.hash_router import HashRouter
from mojo_seq.actor.interleaving import interleaved
from mojo_seq.actor.least_busy_router import LeastBusyRouter
from mojo_seq.actor.mailbox import Mailbox
from mojo_seq.actor.reasons import DeadLetter, Down, StopReason
from mojo_seq.actor.reply import Reply
from mojo_seq.actor.round_robin_router import RoundRobinRouter
from mojo_seq.actor.router import Router
from mojo_seq.actor.sources import ActorTimer, ActorWatch
from mojo_seq.actor.stall_watchdog import StallReport
from mojo_seq.actor.supervisor import Supervisor
from mojo_seq.actor.topic import Topic

__all__ = [
    "Actor",
    "ActorDeadError",
    "ActorMethod",
    "ActorPool",
    "ActorRef",
    "ActorSystem",
    "ActorTimer",
    "ActorWatch",
    "AskCycleError",
    "DeadLetter",
    "Down",
    "HashRouter",
    "LeastBusyRouter",
    "Mailbox",
    "MailboxFullError",
    "Reply",
    "RoundRobinRouter",
    "Router",
    "StallReport",
    "StopReason",
    "Supervisor",
    "Topic",
    "interleaved",
]
