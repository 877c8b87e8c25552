"""Cancellation: what scopes, groups and tasks have in common, a tree of what can be cancelled."""

from __future__ import annotations

from contextvars import ContextVar

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

_now = _core.monotonic


class Cancellation:
    """A node of the tree. It is cancelled once it was asked to be, its deadline has passed, or its
    parent is cancelled; and stays so. Any thread.

    There are no locks in here, so that anything may be called from done callbacks and finalizers:
    each step is one operation on an attribute or a dict, and their order does the rest.
    """

    # Most tasks never change these, and cost no attributes.
    _parent: Cancellation | None = None
    _shields = False  # has nothing of its parent's cancellation and deadline
    _asked = False  # of itself, not by way of the parent
    _timed_out = False  # by its own deadline
    _own_deadline: float | None = None
    _fired = False  # is cancelled, and the listeners know
    _ended = False  # its block was left, or its task is over
    _listeners: dict[Hashable, Callable[[], object]] | None = None
    _cell: Any = None  # the actor whose method it is of: see `innermost`
    host: Any = None
    """An EventLoopHost, of a scope in a task of an event loop."""
    poll: float | None = None
    """Seconds after which a wait is to look again, where nobody tells of a cancellation."""

    def is_cancelled(self) -> bool:
        """Whether it is. The first to find out that the time is up tells all others."""
        if self._fired:
            return True
        if self._asked or self._told():
            self.cancel()
            return True
        due = self._own_deadline
        if due is not None and _now() >= due:
            self.time_out()
            return True
        above = self._above()
        if above is not None and above.is_cancelled():
            self._fire()
            return True
        return False

    def _above(self) -> Cancellation | None:
        """The parent, if it matters."""
        return None if self._shields else self._parent

    def _told(self) -> bool:
        """For subclasses: whether somebody from elsewhere has asked for it."""
        return False

    @property
    def deadline(self) -> float | None:
        """The nearest one, its own or an outer one: seconds on the monotonic clock, which is the
        same in all processes; None: there is none."""
        own = self._own_deadline
        above = self._above()
        outer = None if above is None else above.deadline
        if own is None or outer is None:
            return outer if own is None else own
        return min(own, outer)

    def cancel(self) -> None:
        """Cancels it, and what is below it. Idempotent."""
        self._asked = True
        self._fire()

    def time_out(self) -> None:
        """Cancels it since its own deadline has passed."""
        if not self._asked:
            self._timed_out = True
        self.cancel()

    def _fire(self) -> None:
        self._fired = True
        listeners = self._listeners
        while listeners:
            try:
                _, listener = listeners.popitem()
            except KeyError:
                return  # another thread took the last one
            try:
                listener()
            except BaseException:
                self._fire()  # the others hear of it all the same
                raise

    def listen(self, key: Hashable, listener: Callable[[], object]) -> None:
        """Calls `listener()` once, when it is cancelled; at once if it is. On any thread."""
        listeners = self._listeners
        if listeners is None:
            listeners = self.__dict__.setdefault("_listeners", {})
            above = self._above()
            if above is not None:
                above.listen(self, self._fire)
        listeners[key] = listener
        if self._fired and listeners.pop(key, None) is not None:
            listener()

    def unlisten(self, key: Hashable) -> None:
        """It is not called any more, unless that has begun."""
        if self._listeners is not None:
            self._listeners.pop(key, None)

    def end(self) -> None:
        """What it was about is over."""
        self._ended = True
        self.host = None
        if self._listeners is not None and self._parent is not None:
            self._parent.unlisten(self)

    def next_look(self, deadline: float | None = None) -> float | None:
        """How long a wait may last before it looks whether this is cancelled.

        Args:
            deadline: another end of the wait, on the same clock.

        Returns:
            float: seconds, not below 0; None: for ever.
        """
        if not self._fired:
            own = self.deadline
            if own is not None and (deadline is None or own < deadline):
                deadline = own
        remaining = None if deadline is None else max(0.0, deadline - _now())
        poll = None if self._fired else self.poll_interval()
        if poll is None or remaining is None:
            return remaining if poll is None else poll
        return min(poll, remaining)

    def poll_interval(self) -> float | None:
        """The `poll` of the nearest that has one."""
        node: Cancellation | None = self
        while node is not None and node.poll is None:
            node = node._above()
        return None if node is None else node.poll


_innermost: ContextVar[Cancellation | None] = ContextVar("mojo_seq_cancellation", default=None)
enter = _innermost.set
leave = _innermost.reset


def innermost() -> Cancellation | None:
    """The innermost scope or task that the caller is in, or None.

    Context variables also tell of it in whatever was posted in it, as long as it lasts. But a
    message to an actor is no part of what its sender is doing: the actor's method is in none.
    """
    node = _innermost.get()
    if node is None:
        return None
    cell = _core.current_cell()
    while node is not None and (node._ended or node._cell is not cell):
        node = node._parent
    return node


def raise_if_cancelled(node: Cancellation | None) -> None:
    """Raises if there is a node, and it is cancelled.

    Raises:
        CancelledError: it is.
    """
    if node is not None and node.is_cancelled():
        raise new_error(node)


def new_error(node: Cancellation) -> _core.CancelledError:
    """What is raised in a node that is cancelled."""
    above: Cancellation | None = node
    while above is not None:
        if above._timed_out:
            return _core.CancelledError("cancelled: the deadline has passed")
        above = above._above()
    return _core.CancelledError("cancelled")
