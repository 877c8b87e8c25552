"""PlacedEnding: the end, or the restart, of an actor in a worker process."""

from __future__ import annotations

import logging

from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.accepted import portable

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.actor.remote.placed_cell import PlacedCell
    from mojo_seq.sequence import TaskHandle

logger = logging.getLogger("mojo_seq.actor")

_MARGIN = 2.0  # seconds more than the worker itself gives the actor
_AT_ONCE = 0.5


class PlacedEnding:
    """Has the worker do it, step by step as for any actor, and waits for the news. On the sequence
    of the guardian."""

    def __init__(self, cell: PlacedCell, reason: StopReason, graceful: bool, restart: bool) -> None:
        self.cell = cell
        self.reason = reason
        self.graceful = graceful
        self.restart = restart
        self.phase = ""
        self._timer: TaskHandle | None = None

    def begin(self) -> None:
        """Tells the worker; if it is gone there is nothing to wait for."""
        self.phase = "ending"
        if self.restart:
            told = self.cell.tell_worker(wire.RESTART, portable(self.reason))
        else:
            told = self.cell.tell_worker(wire.END, (*portable(self.reason), self.graceful))
        if not told:
            self.cell.guardian.post(self.finished)
            return
        guardian = self.cell.guardian
        limit = 2 * self.cell.actor_class.stop_timeout + _MARGIN
        self._timer = guardian.call_later(_AT_ONCE if guardian.in_haste else limit, self._on_late)

    def hasten(self, reason: StopReason) -> None:
        """It is killed while it was being stopped or restarted."""
        self.reason = reason
        self.restart = False
        if self.phase == "ending":
            self.cell.tell_worker(wire.END, (*portable(reason), False))

    def halted(self) -> None:
        """The guardian says that it failed meanwhile; the worker goes on ending it."""

    def finished(self) -> None:
        """The worker says so, or it is gone."""
        if self.phase != "ending":
            return
        if self._timer is not None:
            self._timer.cancel()
        self.phase = "finished"
        self.cell.guardian.ending_done(self)

    def _on_late(self) -> None:
        logger.error("%r did not end in time and is given up", self.cell)
        self.cell.guardian.in_haste = True
        self.restart = False
        self.finished()
