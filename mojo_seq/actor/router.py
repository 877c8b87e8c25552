"""Routers: one name for several actors that do the same."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from mojo_seq import _core
from mojo_seq.actor.actor_ref import ActorRef

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import overload

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.reply import Reply

    _B = TypeVar("_B", bound=Actor)
    _P = ParamSpec("_P")
    _T = TypeVar("_T")

A = TypeVar("A", bound="Actor")


class Router(ABC, Generic[A]):
    """Sends each message to one of several actors, its routees.

    It is used like a ref: `router.work(x)` asks one of them and returns the Reply,
    `router.work.tell(x)` tells it. `router.broadcast.work.tell(x)` tells all of them, and
    `router.broadcast.work(x)` asks all and returns a list of Replies. Only methods that all
    routees have are there. A name of the router's own hides a method of that name; `ask` and
    `tell` take any, as those of a ref do.

    Routees that have ended are passed over and removed. When all have, it goes on like a ref to the
    last one: asks fail with ActorDeadError, tells are dead letters. A routee that is being
    restarted stays. A router is no actor, has no mailbox and costs no message; any thread may use
    it. Sent to another process it becomes a router to the same actors, which counts for itself.

    A subclass may route in another way: see `choose`.

    Args:
        refs: the routees, at least one.

    Raises:
        ValueError: there are none.
        TypeError: one is no ActorRef.
    """

    def __init__(self, refs: Iterable[ActorRef[A]]) -> None:
        self._lock = threading.Lock()
        # Coming and going costs the same however many there are: the tuple that messages need is
        # made by the next one.
        self._members = dict.fromkeys(_checked(refs))  # _lock
        self._listed: tuple[ActorRef[A], ...] | None = None  # _lock
        if not self._members:
            raise ValueError("a router needs at least one routee")
        self._last = next(reversed(self._members))  # _lock; what is left when all have ended
        # How many have the same methods, as those of one class do.
        self._kinds = Counter(ref._methods for ref in self._members)  # _lock
        self._methods = frozenset.intersection(*self._kinds)  # _lock; those that all have

    @abstractmethod
    def choose(
        self, routees: tuple[ActorRef[A], ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorRef[A]:
        """Which of `routees` gets a message with these arguments. Any thread, many at a time.

        If it has ended, it is removed and another one is asked for.
        """

    @property
    def routees(self) -> tuple[ActorRef[A], ...]:
        """Those that have not ended."""
        self._remove_ended()
        return self._routees

    @property
    def _routees(self) -> tuple[ActorRef[A], ...]:
        """The same with those that have ended since somebody looked."""
        with self._lock:
            if self._listed is None:
                self._listed = tuple(self._members)
            return self._listed

    def add_routee(self, ref: ActorRef[A]) -> None:
        """Adds one; harmless if it is there."""
        (ref,) = _checked([ref])
        with self._lock:
            if ref not in self._members:
                self._members[ref] = None
                self._listed = None
                self._last = ref
                self._count_methods(ref, 1)

    def remove_routee(self, ref: ActorRef[A]) -> None:
        """Removes one; harmless if it is not there."""
        with self._lock:
            if ref in self._members:
                del self._members[ref]
                self._listed = None
                self._count_methods(ref, -1)

    def _count_methods(self, ref: ActorRef[A], change: int) -> None:
        """With the lock."""
        known = len(self._kinds)
        self._kinds[ref._methods] += change
        if self._kinds[ref._methods] == 0:
            del self._kinds[ref._methods]
        if len(self._kinds) != known and self._kinds:
            self._methods = frozenset.intersection(*self._kinds)

    def _remove_ended(self) -> None:
        for ref in self._routees:
            if not ref.is_alive:
                self.remove_routee(ref)

    @property
    def broadcast(self) -> Broadcast[A]:
        """Like the router, but what it sends goes to all routees."""
        return Broadcast(self)

    if TYPE_CHECKING:

        @overload
        def ask(
            self: Router[_B],
            method: Callable[Concatenate[_B, _P], Coroutine[Any, Any, _T]],
            /,
            *args: _P.args,
            **kwargs: _P.kwargs,
        ) -> Reply[_T]: ...
        @overload
        def ask(
            self: Router[_B],
            method: Callable[Concatenate[_B, _P], _T],
            /,
            *args: _P.args,
            **kwargs: _P.kwargs,
        ) -> Reply[_T]: ...
        @overload
        def ask(self, method: str, /, *args: Any, **kwargs: Any) -> Reply[Any]: ...
        def ask(self, method: Any, /, *args: Any, **kwargs: Any) -> Reply[Any]: ...

    else:

        def ask(self, method, /, *args, **kwargs):
            """Asks one of them, as `ActorRef.ask`."""
            return self._ask(self._method_name(method), args, kwargs)

    def tell(self, method: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> None:
        """Tells one of them, as `ActorRef.tell`."""
        self._tell(self._method_name(method), args, kwargs)

    def _method_name(self, method: Any) -> str:
        name = method if isinstance(method, str) else getattr(method, "__name__", None)
        if name not in self._methods:
            for ref in self._routees or (self._last,):
                ref._method_name(method)  # raises for the one that does not have it
        return str(name)

    def _choose(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorRef[A]:
        found_ended = False
        while routees := self._listed or self._routees:
            ref = self.choose(routees, args, kwargs)
            if ref.is_alive:
                return ref
            self._last = ref
            if found_ended:  # they may be many, and a tuple is made after each
                self._remove_ended()
            else:
                self.remove_routee(ref)
                found_ended = True
        return self._last

    def _ask(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Reply[Any]:
        reply: Reply[Any] = _core.ask(self._choose(args, kwargs)._target, name, args, kwargs)
        return reply

    def _tell(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _core.tell(self._choose(args, kwargs)._target, name, args, kwargs)

    def __getattr__(self, name: str) -> RoutedMethod:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return RoutedMethod(self, self._method_name(name))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._routees or (self._last,),)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._methods})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.routees)}>"


def _checked(refs: Iterable[ActorRef[A]]) -> tuple[ActorRef[A], ...]:
    found = tuple(dict.fromkeys(refs))
    for ref in found:
        if not isinstance(ref, ActorRef):
            raise TypeError(f"a routee must be an ActorRef, not {type(ref).__name__}")
    return found


class RoutedMethod:
    """A method of one of the routees, whichever it will be. Calling it asks; see ActorMethod."""

    __slots__ = ("_name", "_router")

    def __init__(self, router: Router[Any], name: str) -> None:
        self._router = router
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Reply[Any]:
        return self._router._ask(self._name, args, kwargs)

    def tell(self, *args: Any, **kwargs: Any) -> None:
        """Sends it and expects no answer."""
        self._router._tell(self._name, args, kwargs)

    def __repr__(self) -> str:
        return f"<RoutedMethod {self._name!r} of {self._router!r}>"


class Broadcast(Generic[A]):
    """All routees of a router at once."""

    __slots__ = ("_router",)

    def __init__(self, router: Router[A]) -> None:
        self._router = router

    def __getattr__(self, name: str) -> BroadcastMethod:
        if name.startswith("_"):
            raise AttributeError(f"Broadcast has no attribute {name!r}")
        return BroadcastMethod(self._router, self._router._method_name(name))


class BroadcastMethod:
    """A method of all routees."""

    __slots__ = ("_name", "_router")

    def __init__(self, router: Router[Any], name: str) -> None:
        self._router = router
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> list[Reply[Any]]:
        """Asks all. Errors are in the replies, as ever."""
        return [_core.ask(ref._target, self._name, args, kwargs) for ref in self._router.routees]

    def tell(self, *args: Any, **kwargs: Any) -> None:
        """Tells all.

        Raises:
            MailboxFullError: one had no room; all others were told.
        """
        refused = None
        for ref in self._router.routees:
            try:
                _core.tell(ref._target, self._name, args, kwargs)
            except _core.MailboxFullError as error:
                refused = error
        if refused is not None:
            raise refused
