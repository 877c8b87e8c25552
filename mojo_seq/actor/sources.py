"""What calls an actor's methods besides messages: watches and timers, gone with their owner."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

from mojo_seq.watch import ArmingPolicy, SimpleWatcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.cell import LocalCell
    from mojo_seq.sequence import TaskHandle
    from mojo_seq.system import Handle, Result, Signals, SignalsState


class ActorWatch:
    """A handle that an actor watches. To be used on the actor's sequence."""

    __slots__ = ("_cell", "_watcher", "_wrapped")

    def __init__(
        self,
        cell: LocalCell,
        handle: Handle,
        signals: Signals | int,
        method: Callable[[Result, SignalsState], Any],
    ) -> None:
        self._cell = cell
        self._wrapped = method
        # Not automatic: armed again only when the method has really been called, which may have
        # to wait for an async method.
        self._watcher = SimpleWatcher(ArmingPolicy.MANUAL, cell.runner)
        self._watcher.watch(handle, signals, self._notify)
        self._watcher.arm_or_notify()

    @property
    def handle(self) -> Handle | None:
        """What is watched; None when it is no longer."""
        return self._watcher.handle

    def cancel(self) -> None:
        """Ends the watch; harmless the second time. The method is not called any more."""
        self._watcher.cancel()
        self._cell.forget_source(self)

    close = cancel

    def _notify(self, result: Result, state: SignalsState) -> None:
        self._cell.call_in_turn(self._call, result, state)

    def _call(self, result: Result, state: SignalsState) -> Any:
        if not self._cell.has_source(self):
            return None  # cancelled while an async method was under way
        called = None
        try:
            called = self._wrapped(result, state)
        finally:
            if not isinstance(called, CoroutineType):
                self._watch_on()
        if isinstance(called, CoroutineType):
            return self._call_async(called)
        return None

    async def _call_async(self, called: CoroutineType[Any, Any, Any]) -> None:
        try:
            await called
        finally:
            self._watch_on()

    def _watch_on(self) -> None:
        if self._watcher.is_watching:
            self._watcher.arm_or_notify()
        else:
            self._cell.forget_source(self)


class ActorTimer:
    """A call that an actor has put off. To be used on the actor's sequence."""

    __slots__ = ("_args", "_cell", "_handle", "_wrapped")

    def __init__(
        self, cell: LocalCell, delay: float, method: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        self._cell = cell
        self._wrapped = method
        self._args = args
        self._handle: TaskHandle = cell.runner.post_delayed_task(delay, self._fire)

    def cancel(self) -> bool:
        """Keeps the call from being made.

        Returns:
            False if it has been made or was cancelled before.
        """
        self._handle.cancel()
        return self._cell.forget_source(self)

    def close(self) -> None:
        """Keeps the call from being made, like `cancel`."""
        self.cancel()

    def _fire(self) -> None:
        self._cell.call_in_turn(self._call)

    def _call(self) -> Any:
        if self._cell.forget_source(self):
            return self._wrapped(*self._args)
        return None
