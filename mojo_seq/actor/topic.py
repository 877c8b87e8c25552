"""Topic: whoever has subscribed is told what is published."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, TypeVar

from mojo_seq import _core
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.reasons import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.actor_system import ActorSystem
    from mojo_seq.actor.reasons import StopReason

    _B = TypeVar("_B", bound=Actor)


class Topic:
    """Tells each of its subscribers what is published. Made by `ActorSystem.topic(name)`.

    Subscribers may be actors of any process. Each is told in the order of publishing, as by one
    sender for each publishing thread or actor. Publishing never waits: a subscriber with a full
    mailbox misses the message by the rule of its mailbox; with "block" and "fail" it becomes a dead
    letter. Subscribers that end are unsubscribed. The topic lives as long as anybody has it or is
    subscribed to it. Any thread may use it; for other processes, give them an actor that publishes.
    """

    __slots__ = ("__weakref__", "_lock", "_name", "_subscriptions", "_system")

    def __init__(self, system: ActorSystem, name: str) -> None:
        self._system = system
        self._name = name
        self._lock = threading.Lock()
        # _lock to change it: by ref and method, in the order of subscribing.
        self._subscriptions: dict[tuple[ActorRef[Any], str], _Subscription] = {}

    @property
    def name(self) -> str:
        """What `ActorSystem.topic` finds it by."""
        return self._name

    @property
    def subscribers(self) -> tuple[ActorRef[Any], ...]:
        """Each of them once, in the order of subscribing."""
        return tuple(dict.fromkeys(each.ref for each in self._all()))

    def _all(self) -> list[_Subscription]:
        """Those of one moment: making a list of them is one step for all other threads."""
        return list(self._subscriptions.values())

    def subscribe(
        self, ref: ActorRef[_B], method: Callable[Concatenate[_B, ...], Any] | str
    ) -> None:
        """From now on `method` of the actor is told what is published. Harmless the second time.

        Args:
            ref: an actor, wherever it runs. One that has ended is not subscribed.
            method: its name, or the function in the class.

        Raises:
            AttributeError: the actor's class has no such method.
        """
        if not isinstance(ref, ActorRef):
            raise TypeError(f"expected an ActorRef, not {type(ref).__name__}")
        added = _Subscription(self, ref, ref._method_name(method))
        with self._lock:
            if self._subscriptions.setdefault((ref, added.method), added) is not added:
                return
        ref._target.watch_end(added)

    def unsubscribe(
        self, ref: ActorRef[_B], method: Callable[Concatenate[_B, ...], Any] | str | None = None
    ) -> None:
        """Ends that, for all methods of the actor or the one. Harmless if there is nothing to end.

        What was published before, the actor is still told.
        """
        names = ref._methods if method is None else (ref._method_name(method),)
        for name in names:
            with self._lock:
                ended = self._subscriptions.pop((ref, name), None)
            if ended is not None:
                ref._target.unwatch_end(ended)

    def publish(self, *args: Any, **kwargs: Any) -> int:
        """Tells all subscribers. Never waits.

        Returns:
            How many have it in their mailbox, or on its way there. Messages that a "drop_oldest" or
            "drop_newest" mailbox dropped count, too.
        """
        told = 0
        for each in self._all():
            if _core.offer(each.ref._target, each.method, args, kwargs):
                told += 1
            else:
                self._system.report_dead_letter(DeadLetter(each.ref, each.method, args))
        return told

    def _forget(self, ended: _Subscription) -> None:
        key = ended.ref, ended.method
        with self._lock:
            if self._subscriptions.get(key) is ended:
                del self._subscriptions[key]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Topic cannot be sent anywhere: send the ref of an actor that publishes")

    def __repr__(self) -> str:
        return f"<Topic {self._name!r}, {len(self._subscriptions)} subscriptions>"


class _Subscription:
    """One method of one actor; an observer of its end."""

    __slots__ = ("_topic", "method", "ref")

    def __init__(self, topic: Topic, ref: ActorRef[Any], method: str) -> None:
        self._topic = topic
        self.ref = ref
        self.method = method

    def on_down(self, identity: tuple[bytes, int], reason: StopReason) -> None:
        """Any thread."""
        self._topic._forget(self)
