"""Guardian: decides about the lives of a system's actors, on a sequence of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mojo_seq import _core
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.supervisor import RestartRecord, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.sequence import SequencedTaskRunner, TaskHandle

logger = logging.getLogger("mojo_seq.actor")


class Guardian:
    """Ends, restarts and supervises. All methods run on its sequence, but for `post` and
    `runner_gone`, so that nothing here needs a lock."""

    def __init__(
        self, system: ActorSystem, runner: SequencedTaskRunner, supervisor: Supervisor | None
    ) -> None:
        self._system = system
        self._runner = runner
        self.supervisor = supervisor
        self._record: RestartRecord | None = None
        self._then: dict[Any, list[Callable[[], None]]] = {}  # what waits for the end of a cell
        self.in_haste = False  # one has not ended in time: the others get little of it

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        """Any thread. What comes when the system is gone is of no use any more."""
        try:
            self._runner.post_task(function, *args)
        except _core.ShutdownError:
            return

    def call_later(self, delay: float, function: Callable[[], Any]) -> TaskHandle:
        """A time limit."""
        return self._runner.post_delayed_task(delay, function)

    # Failures.

    def cell_failed(self, cell: Any, error: BaseException, where: str) -> None:
        """It handles nothing any more, until somebody has decided what becomes of it."""
        if cell.end_reason is not None:
            return
        cell.failure = error
        if cell.ending is not None:
            logger.error("%r failed in %s while it was ending", cell, where, exc_info=error)
            if cell.ending.phase in ("draining", "halting"):
                cell.ending.halted()
            return
        if cell.upward is not None:
            cell.upward.cell_failed(cell, error, where)
            return
        record = self._record_of(cell.parent)
        if record is None:
            logger.error("%r failed in %s and is stopped", cell, where, exc_info=error)
            self.end(cell, StopReason("failed", error))
            return
        delay = record.note(_core.monotonic())
        if delay is None:
            self._give_up(cell, error, where)
            return
        logger.warning("%r failed in %s and is restarted", cell, where, exc_info=error)
        with self._system.lock:  # for others may add some meanwhile
            affected = record.affected(cell, self._children_of(cell.parent).values())
        _Restart(self, affected, cell, error, delay).begin()

    def _record_of(self, parent: LocalCell | None) -> RestartRecord | None:
        if parent is None:
            if self._record is None and self.supervisor is not None:
                self._record = RestartRecord(self.supervisor)
            return self._record
        if parent.record is None and parent.supervisor is not None:
            parent.record = RestartRecord(parent.supervisor)
        return parent.record

    def _children_of(self, parent: LocalCell | None) -> dict[int, Any]:
        if parent is None:
            return self._system.children
        return parent.children or {}

    def _give_up(self, cell: Any, error: BaseException, where: str) -> None:
        parent = cell.parent
        if parent is None:
            logger.error("%r failed too often, in %s, and is stopped", cell, where, exc_info=error)
            self.end(cell, StopReason("failed", error))
            return
        logger.error(
            "%r failed too often, in %s: now %r fails", cell, where, parent, exc_info=error
        )
        parent.command(self._fail_parent, parent, error)

    def _fail_parent(self, parent: LocalCell, error: BaseException) -> None:
        """On the parent's sequence, between two messages."""
        if not parent.suspended:
            parent.fail(error)

    # The end.

    def end(
        self,
        cell: Any,
        reason: StopReason,
        graceful: bool = True,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Ends an actor; `then` is called when it has ended."""
        if cell.end_reason is not None:
            if then is not None:
                then()
            return
        if then is not None:
            self._then.setdefault(cell, []).append(then)
        if cell.ending is None:
            if cell.failure is not None and reason.kind in ("stopped", "system"):
                reason = StopReason("failed", cell.failure)  # and it is not begun again
            cell.ending = cell.begin_ending(reason, graceful, False)
            cell.ending.begin()
        elif not graceful:
            cell.ending.hasten(reason)
        elif cell.ending.restart:
            cell.ending.restart = False
            cell.ending.reason = reason
        if cell.ending.phase == "finished" and not cell.ending.restart:
            self.ended(cell, reason)  # it was waiting to begin again

    def restart(self, cell: Any, reason: StopReason, then: Callable[[], None]) -> None:
        """Ends its object only; `then` is called when a new one can begin, or it has ended."""
        self._then.setdefault(cell, []).append(then)
        cell.ending = cell.begin_ending(reason, False, True)
        cell.ending.begin()

    def halted(self, cell: Any) -> None:
        """Its sequence says so."""
        if cell.ending is not None:
            cell.ending.halted()
        elif cell.end_reason is None:
            self.end(cell, StopReason("stopped"))  # stopped while the news is on its way
            ending: Any = cell.ending
            ending.halted()
        else:
            cell.command(cell.let_go)  # it was given up, and has ended after all

    def finished(self, cell: Any) -> None:
        """Its sequence says so."""
        if cell.ending is not None:
            cell.ending.finished()

    def ending_done(self, ending: Any) -> None:
        """Its last step was made."""
        cell = ending.cell
        if ending.restart:
            waiting = self._then.pop(cell, ())  # of a _Restart
            for then in waiting:
                then()
        else:
            self.ended(cell, ending.reason)

    def ended(self, cell: Any, reason: StopReason) -> None:
        """For good: all who want to know are told."""
        with self._system.lock:
            if cell.end_reason is not None:
                return
            cell.end_reason = reason
            observers, cell.observers = cell.observers, None
        cell.ending = None
        cell.close()
        self._children_of(cell.parent).pop(cell.number, None)
        self._system.forget(cell)
        if cell.upward is not None:
            cell.upward.cell_ended(cell, reason)
        for observer in observers or ():
            observer.on_down(cell.identity, reason)
        for then in self._then.pop(cell, ()):
            then()

    def runner_gone(self, cell: LocalCell) -> None:
        """Any thread: its sequence was shut down, and takes its actors with it."""
        cell.close()
        error = _core.ShutdownError("the actor's sequence was shut down")
        self.post(self.ended, cell, StopReason("failed", error))

    def begin_again(self, cell: Any) -> None:
        """The end of a restart, unless it was stopped meanwhile."""
        ending = cell.ending
        if cell.end_reason is not None:
            return
        cell.ending = None
        cell.failure = None
        if ending is not None and not ending.restart:
            self.ended(cell, ending.reason)
            return
        cell.command(cell.begin_again)
        if cell.upward is not None:
            cell.upward.cell_restarted(cell)


class _Restart:
    """The restart of some siblings: their objects end, the last one first, and after the back-off
    new ones begin, the first one first."""

    def __init__(
        self,
        guardian: Guardian,
        cells: list[Any],
        failed: Any,
        error: BaseException,
        delay: float,
    ) -> None:
        self._guardian = guardian
        self._cells = [each for each in cells if each is failed or each.ending is None]
        self._left = list(self._cells)
        self._failed = failed
        self._error = error
        self._delay = delay

    def begin(self) -> None:
        """The next object ends."""
        while self._left:
            cell = self._left.pop()
            if cell.end_reason is not None or cell.ending is not None:
                continue
            kind, error = ("failed", self._error) if cell is self._failed else ("stopped", None)
            self._guardian.restart(cell, StopReason(kind, error), self.begin)
            return
        if self._delay > 0:
            self._guardian.call_later(self._delay, self._begin_again)
        else:
            self._begin_again()

    def _begin_again(self) -> None:
        for cell in self._cells:
            self._guardian.begin_again(cell)
