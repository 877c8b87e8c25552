"""StallWatchdog: finds actors that are busy with one message for too long."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from mojo_seq import _core

if TYPE_CHECKING:
    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.actor_system import ActorSystem

logger = logging.getLogger("mojo_seq.actor")

# Looks so many times within the limit: a stall is found that much late at most.
_LOOKS = 4


class StallReport(NamedTuple):
    """An actor that has been at one message for too long.

    ref: the actor. method: what it is at. args: with which positional arguments. seconds: for how
    long. thread: the name of its thread. stack: where that is, as in a traceback.
    """

    ref: ActorRef[Any]
    method: str
    args: tuple[Any, ...]
    seconds: float
    thread: str
    stack: str


class StallWatchdog:
    """A thread that looks now and then what each actor of a system is doing.

    A stall is reported when it has lasted for the limit, and again each time that has doubled. Time
    that an async method spends waiting does not count. In a TaskEnvironment nothing is watched.

    Args:
        system: whose actors; it is not kept alive.
        name: of the thread, the first part.
        limit: seconds.
    """

    def __init__(self, system: ActorSystem, name: str, limit: float) -> None:
        self._limit = limit
        self._closed = threading.Event()
        # By actor: when the message began (ns), and how long it may take before the next report.
        self._stalls: dict[int, tuple[int, float]] = {}
        self._thread: threading.Thread | None = None
        if _core.current_environment() is None:
            watched = weakref.ref(system)
            self._thread = threading.Thread(
                target=_watch, args=(watched, self), name=f"{name}-watchdog", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Ends the thread, and waits for that."""
        self._closed.set()
        if self._thread not in (None, threading.current_thread()):
            self._thread.join()

    def look(self, system: ActorSystem) -> None:
        """Reports what stalls now."""
        now = time.monotonic_ns()
        stalls: dict[int, tuple[int, float]] = {}
        for cell in system.cells():
            began = cell.began
            if began == 0 or now - began < self._limit * 1e9:
                continue
            known, limit = self._stalls.get(cell.number, (0, 0.0))
            if known != began:
                limit = self._limit
            seconds = (now - began) / 1e9
            if seconds >= limit:
                report = _report_of(cell, began, seconds)
                if report is None:
                    continue
                limit = 2 * seconds
                system.report_stall(report)
            stalls[cell.number] = began, limit
        self._stalls = stalls


def _report_of(cell: Any, began: int, seconds: float) -> StallReport | None:
    """None: the message is done."""
    current = cell.current_method()
    identifier = cell.thread
    frame = sys._current_frames().get(identifier)
    if current is None or frame is None or cell.began != began:
        return None
    stack = "".join(traceback.format_stack(frame))
    del frame
    if cell.began != began:
        return None  # the stack may be of what came after
    method, args = current
    name = method if isinstance(method, str) else getattr(method, "__name__", repr(method))
    names = {each.ident: each.name for each in threading.enumerate()}
    thread = names.get(identifier, str(identifier))
    return StallReport(cell.ref, name, args, seconds, thread, stack)


def _watch(reference: weakref.ref[ActorSystem], watchdog: StallWatchdog) -> None:
    while not watchdog._closed.wait(watchdog._limit / _LOOKS):
        system = reference()
        if system is None:
            return
        try:
            watchdog.look(system)
        except Exception:
            logger.exception("the stall watchdog failed")
        del system
