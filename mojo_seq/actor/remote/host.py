"""Host: in a worker process, the actors that a system of another process has put there."""

from __future__ import annotations

import threading
from contextlib import suppress

from mojo_seq.actor.actor_system import ActorSystem
from mojo_seq.actor.mailbox import Mailbox
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.accepted import Accepted, portable
from mojo_seq.actor.remote.connections import connections
from mojo_seq.actor.remote.hosted_cell import HostedCell
from mojo_seq.actor.remote.node import node_of
from mojo_seq.process.object_codec import decode_payload
from mojo_seq.process.remote_traceback import Failure

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.actor.registry import Registry
    from mojo_seq.actor.remote.connection import Connection
    from mojo_seq.actor.remote.node import Node
    from mojo_seq.system import MessagePipeHandle


def serve_host(
    pipe: MessagePipeHandle,
    home_id: bytes,
    node_id: bytes,
    introduction: MessagePipeHandle,
    stall_after: float | None,
    registry: ActorRef[Registry],
) -> None:
    """What a worker runs, on a thread of its own, for a system that puts actors in it: until that,
    or the worker, wants it no longer.

    Args:
        pipe: to the home, which tells here what is to be done.
        home_id: of the home.
        node_id: what this is to be known by.
        introduction: a connection to the home, for what actors here want of actors there.
        stall_after: as the home has it.
        registry: knows the names at home.
    """
    home = connections.join(home_id, introduction)
    assert home is not None  # its first actors come from here
    system = ActorSystem(name="hosted", stall_after=stall_after)
    system.id = node_id
    system.home = registry
    host = Host(node_of(system), pipe, home_id, home)
    host.node.home = host
    host.node.serve(host)
    kept = connections.begin_keeping()
    try:
        host.over.wait()
    finally:
        system.shutdown()
        system.home = None
        host.node.home = None
        connections.end_keeping(kept)
        del home, host, registry
        connections.look_around()


class Host(Accepted):
    """The home's pipe, as seen from the worker. The calls of `Upward` come on the sequence of the
    guardian."""

    def __init__(
        self, node: Node, pipe: MessagePipeHandle, home_id: bytes, home: Connection
    ) -> None:
        super().__init__(node, pipe)
        self.home_id = home_id
        self.home = home
        self.over = threading.Event()
        self._guardian = node.system.guardian

    def on_other(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        try:
            what = decode_payload(payload, handles)
        except Exception as error:
            error.add_note("The arguments could not be decoded in the worker process.")
            self._tell(wire.FAILED, number, (Failure(error), "its placement"))
            return
        if kind == wire.SPAWN:
            self._spawn(number, *what)
            return
        cell = self.node.hosted.get(number)
        if cell is None:  # it could not even be spawned
            done = {wire.END: wire.ENDED, wire.RESTART: wire.READY}.get(kind)
            if done is not None:
                self._tell(done, number, ("stopped", None))
            return
        guardian = self._guardian
        if kind == wire.END:
            *reason, graceful = what
            guardian.post(guardian.end, cell, StopReason(*reason), graceful)
        elif kind == wire.RESTART:
            guardian.post(self._restart, cell, StopReason(*what))
        elif kind == wire.BEGIN:
            guardian.post(guardian.begin_again, cell)

    def _spawn(
        self,
        number: int,
        actor_class: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
        box: tuple[int, str],
        supervisor: Any,
    ) -> None:
        system = self.node.system
        cell = HostedCell(
            self,
            number,
            box,
            system=system,
            parent=None,
            number=-number,
            actor_class=actor_class,
            args=args,
            kwargs=kwargs,
            runner=system._runner_for(None),
            name=name,
            mailbox=Mailbox(*box),
            supervisor=supervisor,
        )
        cell.timed = system._stall_after is not None
        self.node.hosted[number] = cell
        system._add(cell, None)
        cell.schedule()

    def _restart(self, cell: LocalCell, reason: StopReason) -> None:
        if cell.end_reason is None and cell.ending is None:
            self._guardian.restart(cell, reason, lambda: self._on_ready(cell))

    def _on_ready(self, cell: Any) -> None:
        if cell.end_reason is None:
            self._tell(wire.READY, cell.home_number, None)

    def _tell(self, kind: int, number: int, what: object) -> None:
        self.send_object(what, kind, number, 0, self.home_id)

    # What happens to the actors here.

    def cell_failed(self, cell: Any, error: BaseException, where: str) -> None:
        """See Upward."""
        self._tell(wire.FAILED, cell.home_number, (Failure(error), where))

    def cell_ended(self, cell: Any, reason: StopReason) -> None:
        """See Upward."""
        self.node.note_end(-cell.home_number, reason)
        self.node.hosted.pop(cell.home_number, None)
        self._tell(wire.ENDED, cell.home_number, portable(reason))

    def cell_restarted(self, cell: Any) -> None:
        """See Upward."""

    def report_dead_letter(self, cell: Any, method: str, args: tuple[Any, ...]) -> None:
        """Any thread: it is the home's to report."""
        with suppress(Exception):  # what cannot go there is lost, like the letter itself
            self._tell(wire.DEAD_LETTER, cell.home_number, (method, args))

    def on_lost(self) -> None:
        super().on_lost()
        self.over.set()
