"""Gate: holds actors until the test opens it."""

from __future__ import annotations

from typing import Any

from mojo_seq import Actor, ActorRef, ActorSystem, Reply


class GateKeeper(Actor):
    """The gate's actor. It lives in the test's process."""

    def __init__(self, opened: Reply[None]) -> None:
        self._opened = opened

    def wait(self) -> Any:
        """Is answered when the gate is open. Others may wait meanwhile."""
        return self._opened


class Gate:
    """The test's side. `ref` is for actors, that ask it to `wait`."""

    def __init__(self, system: ActorSystem) -> None:
        self._opened = Reply[None]()
        self.ref: ActorRef[GateKeeper] = system.spawn(GateKeeper, self._opened)

    def open(self) -> None:
        """Lets all go on; harmless the second time."""
        if not self._opened.done():
            self._opened.set_result(None)
