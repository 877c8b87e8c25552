"""LeastBusyRouter: whoever has the least to do."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq import _core
from mojo_seq.actor.router import Router

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.reply import Reply

A = TypeVar("A", bound="Actor")

# So many are looked at for a message, however many there are. It is unlikely that all of so many
# have more to do than most; and whoever has nothing to do is found some messages later.
_LOOKED_AT = 32


class LeastBusyRouter(Router[A]):
    """Each message goes to one of those that have the least to do, in turn.

    That is the number of messages that wait, and the one that is being handled. Of an actor in
    another process it is the number of this router's asks that have no answer yet. Of more than 32
    routees, each message compares the next 32.
    """

    def __init__(self, refs: Iterable[ActorRef[A]]) -> None:
        super().__init__(refs)
        self._next = 0  # where to begin; any thread, and a turn more or less does no harm
        # One item for each ask that actors elsewhere have not answered.
        self._asked: dict[ActorRef[A], deque[None]] = {}  # _lock

    def choose(
        self, routees: tuple[ActorRef[A], ...], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ActorRef[A]:
        count = len(routees)
        first = best = self._next
        end = first + min(count, _LOOKED_AT)
        least = None
        for index in range(first, end):
            load = self._load(routees[index % count])
            if least is None or load < least:
                best, least = index, load
                if load == 0:
                    break
        self._next = (end if least and count > _LOOKED_AT else best + 1) % count
        return routees[best % count]

    def _load(self, ref: ActorRef[A]) -> int:
        target = ref._target
        if isinstance(target, _core.Mailbox):
            at_work = target.busy or target.has_tasks or target.current_method() is not None
            return len(target) + at_work
        asked = self._asked.get(ref)
        return 0 if asked is None else len(asked)

    def _ask(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Reply[Any]:
        ref = self._choose(args, kwargs)
        reply: Reply[Any] = _core.ask(ref._target, name, args, kwargs)
        if not isinstance(ref._target, _core.Mailbox):
            with self._lock:
                # Who was removed meanwhile, or has ended like all others, is asked and forgotten.
                asked = self._asked.setdefault(ref, deque()) if ref in self._members else None
            if asked is not None:
                reply.keep_until_done(_Asked(asked))
        return reply

    def remove_routee(self, ref: ActorRef[A]) -> None:
        """Removes one; harmless if it is not there."""
        super().remove_routee(ref)
        self._asked.pop(ref, None)


class _Asked:
    """Counts in a list as long as it lives: until the reply has come, or is not wanted."""

    __slots__ = ("_asked",)

    def __init__(self, asked: deque[None]) -> None:
        self._asked = asked
        asked.append(None)

    def __del__(self) -> None:
        self._asked.pop()
