"""A subclass whose method is no longer interleaved."""

from __future__ import annotations

from mojo_seq import ActorRef
from troupe.coroutines import Coroutines
from troupe.gate import GateKeeper


class InTurnAgain(Coroutines):
    async def at_once(self, gate: ActorRef[GateKeeper], label: str) -> str:
        return await self.in_turn(gate, label)
