"""Who is told that an actor has ended: monitors and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mojo_seq.actor.actor import methods_of
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.reasons import Down, StopReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.actor.guardian import Guardian


class EndObserver(Protocol):
    """Is told once that an actor has ended, on any thread."""

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """The actor of that identity has ended."""


class Observed:
    """What has an identity, and an end that others are told. A part of cells."""

    if not TYPE_CHECKING:  # a checker would miss the attributes below, which every cell has
        __slots__ = ()

    if TYPE_CHECKING:
        system: ActorSystem
        guardian: Guardian
        observers: dict[EndObserver, None] | None  # the system's lock, like the next; in order
        end_reason: StopReason | None
        number: int
        actor_class: type[Actor]
        closed: bool

    @property
    def identity(self) -> tuple[bytes, int]:
        """(id of its home, number there)."""
        return self.system.id, self.number

    @property
    def ref(self) -> ActorRef[Any]:
        """A new reference to it."""
        return ActorRef(self, methods_of(self.actor_class))

    @property
    def is_alive(self) -> bool:
        """False from its end, or its being killed."""
        return self.end_reason is None and not self.closed

    def watch_end(self, observer: EndObserver) -> None:
        """Has `observer.on_down(identity, reason)` called once when it has ended; or now."""
        with self.system.lock:
            reason = self.end_reason
            if reason is None:
                if self.observers is None:
                    self.observers = {}
                self.observers[observer] = None
                return
        observer.on_down(self.identity, reason)

    def unwatch_end(self, observer: EndObserver) -> None:
        """Takes that back; harmless if there is nothing to take back."""
        with self.system.lock:
            if self.observers is not None:
                self.observers.pop(observer, None)

    def stop_linked(self, error: BaseException | None) -> None:
        """An actor that it is linked to has failed."""
        self.guardian.post(self.guardian.end, self, StopReason("linked", error), False)


class Upward(Protocol):
    """Who decides about an actor that another process has placed here."""

    def cell_failed(self, cell: LocalCell, error: BaseException, where: str) -> None:
        """On the guardian's sequence: it failed and handles nothing until it is restarted."""

    def cell_ended(self, cell: LocalCell, reason: StopReason) -> None:
        """On the guardian's sequence: it has ended for good."""

    def cell_restarted(self, cell: LocalCell) -> None:
        """On the guardian's sequence: it begins again."""


class Monitor:
    """Tells an actor of another one's end."""

    __slots__ = ("_cell", "_wrapped", "ref")

    def __init__(self, cell: LocalCell, ref: ActorRef[Any], method: Callable[[Down], Any]) -> None:
        self._cell = cell
        self.ref = ref
        self._wrapped = method

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """Any thread."""
        self._cell.call_urgently(self._call, reason)

    def _call(self, reason: StopReason) -> Any:
        return self._wrapped(Down(self.ref, reason)) if self._forget() else None

    def cancel(self) -> None:
        """On the actor's sequence."""
        if self._forget():
            self.ref._target.unwatch_end(self)

    def _forget(self) -> bool:
        monitors = self._cell.monitors
        of_ref = None if monitors is None else monitors.get(self.ref)
        if monitors is None or of_ref is None or self not in of_ref:
            return False
        of_ref.remove(self)
        if not of_ref:
            del monitors[self.ref]
        return True


class Link:
    """Two actors of which each is stopped if the other one fails. It observes both ends."""

    __slots__ = ("_cell", "_target")

    def __init__(self, cell: LocalCell, target: Any) -> None:
        self._cell = cell
        self._target = target

    def begin(self) -> None:
        """From now on."""
        self._target.watch_end(self)
        self._cell.watch_end(self)

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """Any thread."""
        cell_ended = identity == self._cell.identity
        other = self._target if cell_ended else self._cell
        other.unwatch_end(self)
        if reason.kind in ("failed", "linked"):
            other.stop_linked(reason.error)
