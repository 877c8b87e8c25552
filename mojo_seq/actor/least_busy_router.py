"""LeastBusyRouter: whoever has the least to do."""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq import _core
from mojo_seq.actor.router import Router

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.reply import Reply

A = TypeVar("A", bound="Actor")


class LeastBusyRouter(Router[A]):
    """Each message goes to one of those that have the least to do, in turn.

    That is the number of messages that wait, and the one that is being handled. Of an actor in
    another process it is the number of this router's asks that have no answer yet.
    """

    def __init__(self, refs: Iterable[ActorRef[A]]) -> None:
        super().__init__(refs)
        self._turn = itertools.count()
        # What was asked of actors elsewhere. A reply that is under way is kept by its connection.
        self._asked: dict[ActorRef[A], list[weakref.ref[Reply[Any]]]] = {}  # _lock

    def choose(
        self, routees: tuple[ActorRef[A], ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorRef[A]:
        first = next(self._turn) % len(routees)
        return min((*routees[first:], *routees[:first]), key=self._load)

    def _load(self, ref: ActorRef[A]) -> int:
        target = ref._target
        if isinstance(target, _core.Mailbox):
            at_work = target.busy or target.has_tasks or target.current_method() is not None
            return len(target) + at_work
        return sum(map(_is_under_way, self._asked.get(ref, ())))

    def _ask(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Reply[Any]:
        ref = self._choose(args, kwargs)
        reply: Reply[Any] = _core.ask(ref._target, name, args, kwargs)
        if not isinstance(ref._target, _core.Mailbox):
            with self._lock:
                asked = [each for each in self._asked.get(ref, ()) if _is_under_way(each)]
                self._asked[ref] = [*asked, weakref.ref(reply)]
        return reply

    def remove_routee(self, ref: ActorRef[A]) -> None:
        """Removes one; harmless if it is not there."""
        super().remove_routee(ref)
        self._asked.pop(ref, None)


def _is_under_way(asked: weakref.ref[Reply[Any]]) -> bool:
    reply = asked()
    return reply is not None and not reply.done()
