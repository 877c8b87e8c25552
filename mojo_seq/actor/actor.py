"""Actor: the base of all actors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.actor.mailbox import Mailbox
    from mojo_seq.actor.reasons import Down, StopReason
    from mojo_seq.actor.sources import ActorTimer, ActorWatch
    from mojo_seq.actor.supervisor import Supervisor
    from mojo_seq.sequence import SequencedTaskRunner
    from mojo_seq.system import Handle, Result, Signals, SignalsState

B = TypeVar("B", bound="Actor")


class Actor:
    """An object that is bound to a sequence: its methods are called by messages, one at a time.

    A subclass defines ordinary methods; each public one can be asked and told through an ActorRef.
    `__init__`, the methods, `on_start`, `on_stop` and all callbacks run on the actor's sequence,
    and so never at the same time. An `async def` method may await Replies and everything of
    asyncio; the next message waits for it, unless it is marked with `@interleaved`.

    Everything here but `supervisor` and `stop_timeout` may only be used while the actor is
    spawned, and is to be called on its sequence.
    """

    supervisor: ClassVar[Supervisor | None] = None
    """What becomes of children that fail; None: they are stopped and the error is logged."""
    stop_timeout: ClassVar[float] = 5.0
    """Seconds that the actor may take to handle what waits when it is stopped, before it is killed;
    and then to end, before it is reported and no longer waited for."""

    _cell: LocalCell | None = None

    def on_start(self) -> Any:
        """Called before the first message, also after a restart. May be `async def`."""

    def on_stop(self, reason: StopReason) -> Any:
        """Called when the actor ends or is restarted, after its children. May be `async def`."""

    def _spawned(self) -> LocalCell:
        cell = self._cell
        if cell is None:
            raise RuntimeError(f"this {type(self).__name__} was not spawned by an ActorSystem")
        return cell

    @property
    def ref(self: B) -> ActorRef[B]:
        """A reference to this actor, to give to others."""
        return self._spawned().ref

    @property
    def system(self) -> ActorSystem:
        """The system that it is part of."""
        return self._spawned().system

    @property
    def task_runner(self) -> SequencedTaskRunner:
        """The sequence that it runs on."""
        runner: SequencedTaskRunner = self._spawned().runner
        return runner

    def spawn(
        self,
        actor_class: type[B],
        /,
        *args: Any,
        name: str | None = None,
        on: Any = None,
        mailbox: Mailbox | None = None,
        supervisor: Supervisor | None = None,
        **kwargs: Any,
    ) -> ActorRef[B]:
        """Starts an actor that this one owns and supervises. See `ActorSystem.spawn`."""
        cell = self._spawned()
        return cell.system.spawn_child(
            cell,
            actor_class,
            args,
            kwargs,
            name,
            on,
            mailbox,
            supervisor,
        )

    def watch(
        self,
        handle: Handle,
        signals: Signals | int,
        method: Callable[[Result, SignalsState], Any],
    ) -> ActorWatch:
        """Calls `method(result, state)` whenever a handle has any of `signals`.

        That is a SimpleWatcher on this actor's sequence, cancelled when the actor ends.

        Returns:
            ActorWatch: with `cancel()`.

        Raises:
            InvalidArgumentError: the handle is closed, sent or has no signals.
        """
        return self._spawned().watch(handle, signals, method)

    def call_later(self, delay: float, method: Callable[..., Any], /, *args: Any) -> ActorTimer:
        """Calls `method(*args)` after `delay` seconds, unless the actor has ended by then.

        Returns:
            ActorTimer: with `cancel() -> bool`.
        """
        return self._spawned().call_later(delay, method, args)

    def monitor(self, ref: ActorRef[Any], method: Callable[[Down], Any]) -> None:
        """Calls `method(Down(ref, reason))` once when the other actor has ended, wherever it runs.

        If it has ended already, that is at once. A restart is no end.
        """
        self._spawned().monitor(ref, method)

    def unmonitor(self, ref: ActorRef[Any]) -> None:
        """Takes back all monitors of that actor."""
        self._spawned().unmonitor(ref)

    def link(self, ref: ActorRef[Any]) -> None:
        """Ties two actors together: if one fails, the other is stopped ("linked") at once."""
        self._spawned().link(ref)

    def stash(self) -> None:
        """Puts the message that is being handled aside, for later; its asker goes on waiting.

        Raises:
            RuntimeError: no message is being handled, or it was stashed before.
            MailboxFullError: as many are aside as the mailbox takes.
        """
        self._spawned().stash()

    def unstash(self) -> int:
        """Puts what is aside back, before the messages that wait. Returns how many."""
        return self._spawned().unstash()

    def set_idle_timeout(
        self, seconds: float | None, method: Callable[[], Any] | None = None
    ) -> None:
        """Calls `method()` whenever no message has come for `seconds`; None as seconds ends that.

        Args:
            method: None: the actor stops itself.
        """
        self._spawned().set_idle_timeout(seconds, method)

    def stop(self) -> None:
        """Ends this actor after the messages that wait now."""
        self._spawned().stop()


_OWN = frozenset(dir(Actor))


def methods_of(actor_class: type[Actor]) -> frozenset[str]:
    """The names of the methods that messages may call."""
    known = actor_class.__dict__.get("_mojo_methods")
    if known is None:
        known = frozenset(
            name
            for name in dir(actor_class)
            if not name.startswith("_") and _is_method(actor_class, name)
        )
        actor_class._mojo_methods = known  # type: ignore[attr-defined]
    methods: frozenset[str] = known
    return methods


def _is_method(actor_class: type[Actor], name: str) -> bool:
    from inspect import getattr_static

    found = getattr_static(actor_class, name)
    if name in _OWN and found is getattr_static(Actor, name):
        return False
    if name in ("on_start", "on_stop", "supervisor", "stop_timeout"):
        return False
    if isinstance(found, staticmethod | classmethod):
        return True
    return callable(found) and not isinstance(found, type)
