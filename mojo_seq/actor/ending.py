"""Ending: how an actor is stopped, killed or restarted, step by step."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

from mojo_seq.actor.reasons import StopReason

if TYPE_CHECKING:
    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.sequence import TaskHandle

logger = logging.getLogger("mojo_seq.actor")

_AT_ONCE = 0.2  # seconds, for the others once one has not ended in time


class Ending:
    """The end of one actor, or of its object before a restart. On the guardian's sequence.

    It handles what waits ("draining"; not if it is in haste), lets go of the method that it is in
    ("halting"), its children end, the last one first ("children"), `on_stop` is called
    ("finishing"). Each step that is its own has a limit of time; after that it is in haste, and
    then given up: reported, and no longer waited for.
    """

    def __init__(self, cell: LocalCell, reason: StopReason, graceful: bool, restart: bool) -> None:
        self.cell = cell
        self.reason = reason
        self.graceful = graceful
        self.restart = restart
        self.phase = ""
        self._timer: TaskHandle | None = None
        self._to_end: list[Any] = []

    def begin(self) -> None:
        """The first step."""
        cell = self.cell
        if self.graceful and cell.failure is None:
            self._enter("draining")
            cell.stopping = True
            cell.wake_senders()
            cell.schedule()
        else:
            self._halt()

    def hasten(self, reason: StopReason) -> None:
        """It is killed while it was being stopped or restarted."""
        self.reason = reason
        self.restart = False
        if self.phase == "draining":
            self._halt()

    def _halt(self) -> None:
        self.graceful = False
        self._enter("halting")
        if not self.restart:
            self.cell.close()
        self.cell.command(self.cell.halt)

    def halted(self) -> None:
        """It handles nothing any more. Its children are next."""
        if self.phase in ("children", "finishing"):
            return
        self._leave()
        self.phase = "children"
        self._end_children()

    def _end_children(self) -> None:
        last = last_of(self.cell.children or {}, self._to_end)
        if last is None:
            self._finish()
            return
        kind = self.reason.kind if self.reason.kind in ("killed", "system") else "stopped"
        self.cell.guardian.end(
            last, StopReason(kind), self.reason.kind != "killed", then=self._end_children
        )

    def _finish(self) -> None:
        self._enter("finishing")
        self.cell.command(self.cell.finish, self.reason)

    def finished(self) -> None:
        """`on_stop` has returned."""
        if self.phase != "finishing":
            return
        self._leave()
        self.phase = "finished"
        self.cell.guardian.ending_done(self)

    def _enter(self, phase: str) -> None:
        self._leave()
        self.phase = phase
        guardian = self.cell.guardian
        limit = _AT_ONCE if guardian.in_haste else self.cell.actor_class.stop_timeout
        self._timer = guardian.call_later(limit, self._on_late)

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_late(self) -> None:
        cell = self.cell
        if self.phase == "draining":
            logger.warning("%r had messages left when its time to stop was up: killed", cell)
            self._halt()
            return
        logger.error(
            "%r did not end in time and is given up (%s)%s", cell, self.phase, whereabouts(cell)
        )
        cell.guardian.in_haste = True
        self.restart = False
        self.phase = "finished"
        cell.guardian.ending_done(self)


def whereabouts(cell: LocalCell) -> str:
    """What an actor is doing, with the stack of its thread; empty if it is doing nothing."""
    current = cell.current_method()
    if current is None:
        return ""
    method = current[0] if isinstance(current[0], str) else getattr(current[0], "__name__", "?")
    frame = sys._current_frames().get(cell.thread)
    stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
    return f" in {method}\n{stack}"


def last_of(children: dict[int, Any], to_end: list[Any]) -> Any:
    """The child spawned last that has not ended, or None.

    Args:
        to_end: kept between the calls: to look for the end of a dictionary again and again, while
            it becomes shorter there, takes time by the square of its size.
    """
    while True:
        while to_end:
            last = to_end.pop()
            if last.end_reason is None:
                return last
        if not children:
            return None
        to_end.extend(children.values())
