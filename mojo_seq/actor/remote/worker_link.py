"""WorkerLink: the home's connection to a worker process that it puts actors in."""

from __future__ import annotations

import os
from contextlib import suppress

from mojo_seq import _core
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.registry import registry_of
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.connection import Connection
from mojo_seq.actor.remote.connections import connections
from mojo_seq.process.object_codec import decode_payload

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.remote.node import Node
    from mojo_seq.actor.remote.placed_cell import PlacedCell
    from mojo_seq.process.object_codec import Encoded


class WorkerLink(Connection):
    """Also says what is to be done with the actors there, and hears what becomes of them.

    Lives from the first actor that is put in the worker to the end of the worker or the system.

    Args:
        node: the home.
        worker: of a pool, as `__actor_workers__` has them.
    """

    def __init__(self, node: Node, worker: Any) -> None:
        from mojo_seq.actor.remote.host import serve_host

        self._cells: dict[int, PlacedCell] = {}
        self.worker = worker
        self._home = node
        node_id = os.urandom(16)
        introduction = node.introduce()
        try:
            system = node.system
            pipe = worker.open_service(
                serve_host,
                node.id,
                node_id,
                introduction,
                system._stall_after,
                registry_of(system),
            )
        except BaseException:
            introduction.close()
            raise
        super().__init__(node_id, pipe)
        connections.keep(self)

    def needs_watch(self) -> bool:
        return bool(self._cells) or super().needs_watch()

    def put(self, cell: PlacedCell, spawn: Encoded) -> bool:
        """Starts an actor there. False: the worker is gone, and will not be told of it."""
        self._cells[cell.number] = cell
        self.worker.load += 1
        try:
            sent = self.write(spawn)
        except BaseException:
            self.remove(cell)
            raise
        if not sent:
            self.read()
        if self.lost:
            return self._cells.pop(cell.number, None) is None
        self.watch()
        return True

    def remove(self, cell: PlacedCell) -> None:
        """It has ended."""
        if self._cells.pop(cell.number, None) is not None:
            self.worker.load -= 1

    def on_other(
        self, kind: int, number: int, ask: int, payload: bytes | memoryview, handles: list[Any]
    ) -> None:
        news = decode_payload(payload, handles)
        cell = self._cells.get(number)
        if cell is None:
            return
        if kind == wire.FAILED:
            cell.on_failed(*news)
        elif kind == wire.READY:
            cell.on_ready()
        elif kind == wire.ENDED:
            cell.on_ended(StopReason(*news))
        elif kind == wire.DEAD_LETTER:
            cell.on_dead_letter(*news)

    def end_reason(self) -> StopReason:
        try:
            why = self.worker.exit_reason()
        except _core.MojoError as error:
            why = str(error)
        text = why if why is not None else "the worker process serves actors no longer"
        return StopReason("failed", _core.ActorDeadError(text))

    def on_lost(self) -> None:
        super().on_lost()
        reason = self.reason or self.end_reason()
        self._home.drop_link(self)
        cells = []
        while self._cells:  # another thread may just be putting one: it is told, or that thread is
            with suppress(KeyError):
                cells.append(self._cells.popitem()[1])
        self.worker.load -= len(cells)
        for cell in reversed(cells):
            cell.on_worker_lost(self, reason)
