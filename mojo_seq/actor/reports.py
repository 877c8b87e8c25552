"""Reports: what an actor system tells of what goes wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.reasons import DeadLetter
    from mojo_seq.actor.stall_watchdog import StallReport

logger = logging.getLogger("mojo_seq.actor")


class Reports:
    """Base of ActorSystem: the callbacks for what nobody else is told of."""

    def __init__(self) -> None:
        self._on_dead_letter: Callable[[DeadLetter], object] | None = None
        self._on_stall: Callable[[StallReport], object] | None = None

    @property
    def on_dead_letter(self) -> Callable[[DeadLetter], object] | None:
        """Called with a DeadLetter for each tell that nobody will handle, on the thread that finds
        out; None: they are logged at level INFO."""
        return self._on_dead_letter

    @on_dead_letter.setter
    def on_dead_letter(self, callback: Callable[[DeadLetter], object] | None) -> None:
        if not (callback is None or callable(callback)):
            raise TypeError(f"on_dead_letter must be callable, not {type(callback).__name__}")
        self._on_dead_letter = callback

    def report_dead_letter(self, letter: DeadLetter) -> None:
        """For the layers here."""
        callback = self._on_dead_letter
        if callback is None:
            logger.info("dead letter: %s for %r", letter.method, letter.ref)
            return
        try:
            callback(letter)
        except Exception:
            logger.exception("on_dead_letter raised")

    @property
    def on_stall(self) -> Callable[[StallReport], object] | None:
        """Called with a StallReport, on the watchdog's thread, when an actor has been at a message
        for `stall_after` seconds, and again each time that has doubled; None: it is logged."""
        return self._on_stall

    @on_stall.setter
    def on_stall(self, callback: Callable[[StallReport], object] | None) -> None:
        if not (callback is None or callable(callback)):
            raise TypeError(f"on_stall must be callable, not {type(callback).__name__}")
        self._on_stall = callback

    def report_stall(self, report: StallReport) -> None:
        """For the layers here."""
        callback = self._on_stall
        if callback is None:
            ref, method, _args, seconds, thread, stack = report
            logger.warning(
                "%s has been in %s() for %.2f s, on thread %s:\n%s",
                *(repr(ref), method, seconds, thread, stack),  # as it is now
            )
            return
        try:
            callback(report)
        except Exception:
            logger.exception("on_stall raised")
