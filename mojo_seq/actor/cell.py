"""LocalCell: what the system knows of an actor that runs in this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mojo_seq import _core
from mojo_seq.actor.actor import Actor
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.ending import Ending
from mojo_seq.actor.interleaving import is_interleaved
from mojo_seq.actor.observers import Link, Monitor, Observed
from mojo_seq.actor.reasons import DeadLetter, StopReason
from mojo_seq.actor.sources import ActorTimer, ActorWatch
from mojo_seq.sequence import AsyncioTaskRunner

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.guardian import Guardian
    from mojo_seq.actor.observers import EndObserver, Upward
    from mojo_seq.actor.supervisor import RestartRecord, Supervisor
    from mojo_seq.system import Handle, Result, Signals, SignalsState

logger = logging.getLogger("mojo_seq.actor")


class LocalCell(Observed, _core.ActorCell):
    """An actor's mailbox, its life, and what it owns.

    The fields marked "guardian" are owned by the guardian's sequence, those marked "sequence" by
    the actor's own, `observers` and `end_reason` by the system's lock.
    """

    __slots__ = ()

    # All in the core; those that are not given to it begin as None.
    system: ActorSystem
    guardian: Guardian
    number: int
    actor_class: type[Actor]
    name: str | None
    parent: LocalCell | None
    upward: Upward | None  # who decides about it in another process
    supervisor: Supervisor | None
    children: dict[int, Any] | None  # guardian, but for additions: by number, in order
    record: RestartRecord | None  # guardian: recent failures of its children
    ending: Any  # guardian: what is under way to end or restart it
    failure: BaseException | None  # guardian: the error of a failure, until it begins again
    observers: dict[EndObserver, None] | None
    end_reason: StopReason | None
    # sequence: the ends of others that it wants to be told; by ref, for there may be very many
    monitors: dict[ActorRef[Any], list[Monitor]] | None
    _sources: set[ActorWatch | ActorTimer] | None  # sequence
    _call_when_idle: ActorTimer | None  # sequence: the timer of set_idle_timeout
    _finishing: bool  # sequence: on_stop is being called, or was

    # Who it is.

    @property
    def is_finishing(self) -> bool:
        """Its children have ended: there must be no more. True again only until a restart."""
        return self._finishing or self.end_reason is not None

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name is not None else f" {self.number}"
        return f"<actor {self.actor_class.__name__}{name}>"

    # What others do to it, on any thread.

    def stop(self) -> None:
        """See ActorRef."""
        self.stopping = True
        self.wake_senders()
        self.guardian.post(self.guardian.end, self, StopReason("stopped"))

    def kill(self) -> None:
        """See ActorRef."""
        self.close()
        self.guardian.post(self.guardian.end, self, StopReason("killed"), False)

    # What the actor itself does, on its sequence.

    def watch(
        self,
        handle: Handle,
        signals: Signals | int,
        method: Callable[[Result, SignalsState], Any],
    ) -> ActorWatch:
        """See Actor."""
        _check_callable(method)
        watch = ActorWatch(self, handle, signals, method)
        self._add_source(watch)
        return watch

    def call_later(
        self, delay: float, method: Callable[..., Any], args: tuple[Any, ...]
    ) -> ActorTimer:
        """See Actor."""
        _check_callable(method)
        timer = ActorTimer(self, delay, method, args)
        self._add_source(timer)
        return timer

    def _add_source(self, source: ActorWatch | ActorTimer) -> None:
        if self._sources is None:
            self._sources = set()
        self._sources.add(source)

    def has_source(self, source: ActorWatch | ActorTimer) -> bool:
        """False once it was cancelled."""
        return self._sources is not None and source in self._sources

    def forget_source(self, source: ActorWatch | ActorTimer) -> bool:
        """Returns whether it was there."""
        if not self.has_source(source):
            return False
        assert self._sources is not None
        self._sources.discard(source)
        return True

    def monitor(self, ref: ActorRef[Any], method: Callable[[Any], Any]) -> None:
        """See Actor."""
        _check_callable(method)
        _check_ref(ref)
        monitor = Monitor(self, ref, method)
        if self.monitors is None:
            self.monitors = {}
        self.monitors.setdefault(ref, []).append(monitor)
        ref._target.watch_end(monitor)

    def unmonitor(self, ref: ActorRef[Any]) -> None:
        """See Actor."""
        _check_ref(ref)
        for monitor in list((self.monitors or {}).get(ref, ())):
            monitor.cancel()

    def link(self, ref: ActorRef[Any]) -> None:
        """See Actor."""
        _check_ref(ref)
        if ref._target is self:
            return
        Link(self, ref._target).begin()

    def set_idle_timeout(self, seconds: float | None, method: Callable[[], Any] | None) -> None:
        """See Actor."""
        if self._call_when_idle is not None:
            self._call_when_idle.cancel()
            self._call_when_idle = None
        if seconds is None:
            return
        if not seconds > 0:
            raise ValueError(f"seconds must be more than 0, got {seconds}")
        self._await_idleness(seconds, method if method is not None else self.stop)

    def _await_idleness(self, seconds: float, method: Callable[[], Any]) -> None:
        before = self.handled

        def look() -> Any:
            quiet = self.handled == before
            self._await_idleness(seconds, method)
            return method() if quiet else None

        self._call_when_idle = self.call_later(seconds, look, ())

    def call_in_turn(self, function: Callable[..., Any], *args: Any) -> None:
        """In a task of the sequence: calls it now, or when an async method has ended."""
        if self.busy or self.suspended or not self.started:
            self.call_urgently(function, *args)
        elif not self.closed:
            self.run_guarded(function, *args)

    # What the core asks for.

    def _new_loop(self) -> AbstractEventLoop:
        """The asyncio loop whose callbacks are tasks of the actor's sequence."""
        from mojo_seq.sequence.sequence_event_loop import event_loop_of

        return event_loop_of(self.runner)

    def _is_interleaved(self, method: object) -> bool:
        return is_interleaved(self.actor_class, method)

    def _on_task_done(self) -> None:
        if self._finishing:
            if not self.busy:
                self.command(self.let_go)  # not inside the loop that is to be closed
        elif not self.has_tasks:
            self.guardian.post(self.guardian.halted, self)

    def _on_failure(self, error: BaseException, envelope: _core.Envelope | None) -> None:
        where = "a child" if envelope is None else _describe(envelope.method)
        if self._finishing:
            logger.error("%r: on_stop raised", self, exc_info=error)
            return
        self.suspended = True
        self._close_sources()
        self.guardian.post(self.guardian.cell_failed, self, error, where)

    def fail(self, error: BaseException) -> None:
        """On the sequence: one of its children failed too often."""
        self._on_failure(error, None)

    def _on_drained(self) -> None:
        if self.suspended:
            return
        if self.has_tasks:
            return  # of interleaved methods; asked again when they have ended
        self.suspended = True
        self._close_sources()
        self.guardian.post(self.guardian.halted, self)

    def extend_asks(self) -> None:
        for reply in self.asks_from_elsewhere():
            reply.extend(None)

    def _on_runner_gone(self) -> None:
        self.guardian.runner_gone(self)

    def _on_dead_letter(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> None:
        self.system.report_dead_letter(DeadLetter(self.ref, method, args))

    def _dead_error(self) -> _core.ActorDeadError:
        reason = self.end_reason
        if reason is None and self.ending is not None:
            reason = self.ending.reason
        if reason is None:
            return _core.ActorDeadError(
                f"{self!r} {'was killed' if self.closed else 'is being stopped'}"
            )
        error = _core.ActorDeadError(f"{self!r} has ended: {reason.kind}")
        error.__cause__ = reason.error
        return error

    # Its end, and its beginning again: commands of the guardian, on the sequence.

    def begin_ending(self, reason: StopReason, graceful: bool, restart: bool) -> Ending:
        """How the guardian ends it."""
        return Ending(self, reason, graceful, restart)

    def halt(self) -> None:
        """Handles nothing any more."""
        self.suspended = True
        self._close_sources()
        if self.has_tasks:
            self.tells_tasks = True
            self.cancel_tasks()
        else:
            self.guardian.post(self.guardian.halted, self)

    def finish(self, reason: StopReason) -> None:
        """Says good-bye to the object."""
        self._finishing = True
        self.tells_tasks = True
        instance = self.instance
        if instance is not None and self.actor_class.on_stop is not Actor.on_stop:
            self.run_guarded(instance.on_stop, reason)
            if self.busy:
                return  # an async on_stop; _on_task_done goes on
            self.tells_tasks = False
        self.let_go()

    def let_go(self) -> None:
        """The last step: of all that its object had."""
        self._close_sources()
        for of_ref in list((self.monitors or {}).values()):
            for monitor in list(of_ref):
                monitor.cancel()
        self.tells_tasks = False
        loop, self.loop = self.loop, None
        if loop is not None and not isinstance(self.runner, AsyncioTaskRunner):
            loop.close()
        self.instance = None
        self.guardian.post(self.guardian.finished, self)

    def begin_again(self) -> None:
        """After a `finish` for a restart."""
        self._finishing = False
        self.busy = False
        self.started = False
        self.suspended = False
        self.schedule()

    def _close_sources(self) -> None:
        sources, self._sources = self._sources, None
        for source in sources or ():
            source.close()
        self._call_when_idle = None


def _describe(method: object) -> str:
    return str(method) if isinstance(method, str) else getattr(method, "__qualname__", repr(method))


def _check_callable(method: Any) -> None:
    if not callable(method):
        raise TypeError(f"method must be callable, not {type(method).__name__}")


def _check_ref(ref: object) -> None:
    if not isinstance(ref, ActorRef):
        raise TypeError(f"expected an ActorRef, not {type(ref).__name__}")


_core.set_base_on_start(Actor.on_start)
