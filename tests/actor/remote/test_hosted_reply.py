"""What an ask that came from another process is told."""

from __future__ import annotations

from typing import Any

from strangers import Depot

from mojo_seq import ActorSystem, AskCycleError
from mojo_seq.actor.remote.chains import who_is
from mojo_seq.actor.remote.hosted_reply import HostedReply


class Client:
    """Hears nothing."""

    client = b"client"

    def answer_slowly(self, reply: Any) -> None:
        """See Accepted."""


def test_a_cycle_that_is_found_just_before_the_wait_is_told_whole(system: ActorSystem) -> None:
    here, there = system.spawn(Depot), system.spawn(Depot)
    client: Any = Client()
    reply = HostedReply(client, 3, here._target)
    # Somebody asked `here`, which for that asked `there`, which for that asks `here`.
    reply.path = {(b"1", 1): who_is(here._target), (b"1", 2): who_is(there._target)}
    error = reply.complete_cycle(AskCycleError("", (here,)))
    assert error.chain == (here, there, here)
    reply.cancel()
