"""HashRouter: the same actor for the same key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq.actor.hash_ring import HashRing
from mojo_seq.actor.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_ref import ActorRef

A = TypeVar("A", bound="Actor")


class HashRouter(Router[A]):
    """Messages with the same key go to the same one, as long as it lives.

    When one ends, its keys are shared out among the others, and those of the others stay where
    they are (consistent hashing). Keys that are equal are the same key. For numbers, str, bytes and
    tuples of them it is the same actor in every process; for others that depends on their hash().

    Args:
        refs: the routees, at least one.
        key: called with the arguments of a message for its key; None: the first argument is.
    """

    def __init__(
        self, refs: Iterable[ActorRef[A]], *, key: Callable[..., Hashable] | None = None
    ) -> None:
        super().__init__(refs)
        if not (key is None or callable(key)):
            raise TypeError(f"key must be callable, not {type(key).__name__}")
        self._key = key
        self._ring: HashRing[ActorRef[A]] = HashRing(self._routees, _point)

    def choose(
        self, routees: tuple[ActorRef[A], ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorRef[A]:
        if self._key is not None:
            key = self._key(*args, **kwargs)
        elif args:
            key = args[0]
        else:
            raise TypeError("a message without positional arguments has no key for a HashRouter")
        ring = self._ring
        if ring.nodes is not routees:
            self._ring = ring = HashRing(routees, _point)
        return ring.find(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return _hash_router, (*super().__reduce__()[1], self._key)


def _hash_router(refs: tuple[ActorRef[A], ...], key: Any) -> HashRouter[A]:
    return HashRouter(refs, key=key)


def _point(ref: ActorRef[Any]) -> bytes:
    system, number = ref._target.identity
    return b"%b%d" % (system, number)
