"""ActorRef: what users hold of an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from mojo_seq import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Protocol, overload

    from mojo_seq.actor.actor import Actor
    from mojo_seq.actor.reply import Reply
    from mojo_seq.system import Message

if TYPE_CHECKING:

    class _Method(Protocol):
        """An ActorMethod."""

        def __call__(self, *args: Any, **kwargs: Any) -> Reply[Any]: ...
        def tell(self, *args: Any, **kwargs: Any) -> None: ...


A = TypeVar("A", bound="Actor", covariant=True)
B = TypeVar("B", bound="Actor")
P = ParamSpec("P")
T = TypeVar("T")


class ActorRef(_core.ActorRefBase, Generic[A]):
    """A reference to an actor, wherever it runs.

    An attribute that is the name of a method of the actor's class sends messages: `ref.add(5)`
    asks and returns a Reply, `ref.add.tell(5)` expects no answer. `ref.ask(Counter.add, 5)` is the
    same as `ref.add(5)`, and type checkers see what it takes and returns.

    Refs are compared and hashed by the actor that they refer to, which stays the same when it is
    restarted. They keep no actor alive. Any thread may use them, and they may be sent to other
    processes: in messages to actors and in their answers, as arguments of `spawn_process`, and by
    `to_message`.
    """

    __slots__ = ()

    @property
    def name(self) -> str | None:
        """The name given to `spawn`, or None."""
        name: str | None = self._target.name
        return name

    @property
    def actor_class(self) -> type[A]:
        """The class of the actor."""
        actor_class: type[A] = self._target.actor_class
        return actor_class

    @property
    def is_alive(self) -> bool:
        """False once the actor has ended. One that is being restarted is alive."""
        return bool(self._target.is_alive)

    def stop(self) -> None:
        """Ends the actor when it has handled the messages that wait now. Any thread.

        It takes no new ones from now on. Its children are stopped before its `on_stop` is called.
        """
        self._target.stop()

    def kill(self) -> None:
        """Ends the actor now. Any thread.

        Messages that wait are not handled, and asks fail with ActorDeadError at once, also the one
        that is being handled. An `async def` method is cancelled; any other one runs to its end,
        for no thread can be stopped from outside.
        """
        self._target.kill()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> _Method: ...
        @overload
        def ask(
            self: ActorRef[B],
            method: Callable[Concatenate[B, P], Coroutine[Any, Any, T]],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> Reply[T]: ...
        @overload
        def ask(
            self: ActorRef[B],
            method: Callable[Concatenate[B, P], T],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> Reply[T]: ...
        @overload
        def ask(self, method: str, /, *args: Any, **kwargs: Any) -> Reply[Any]: ...
        def ask(self, method: Any, /, *args: Any, **kwargs: Any) -> Reply[Any]: ...
        @overload
        def tell(
            self: ActorRef[B],
            method: Callable[Concatenate[B, P], Any],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> None: ...
        @overload
        def tell(self, method: str, /, *args: Any, **kwargs: Any) -> None: ...
        def tell(self, method: Any, /, *args: Any, **kwargs: Any) -> None: ...
    else:

        def ask(self, method, /, *args, **kwargs):
            """Calls a method, given by name or as the function in the class; returns a Reply.

            Raises:
                AttributeError: the actor's class has no such method.
            """
            return _core.ask(self._target, self._method_name(method), args, kwargs)

        def tell(self, method, /, *args, **kwargs):
            """The same without an answer.

            Raises:
                AttributeError: the actor's class has no such method.
                MailboxFullError: there is no room.
            """
            _core.tell(self._target, self._method_name(method), args, kwargs)

    def _method_name(self, method: Any) -> str:
        name: Any = method if isinstance(method, str) else getattr(method, "__name__", None)
        if not isinstance(name, str):
            raise TypeError(f"expected the name of a method or a method, not {method!r}")
        if name not in self._methods:
            raise AttributeError(self._describe_missing(name))
        return name

    def _describe_missing(self, name: str) -> str:
        methods = ", ".join(sorted(self._methods)) or "none"
        return f"{self.actor_class.__name__} has no method {name!r}; it has: {methods}"

    def to_message(self) -> Message:
        """A message that makes the same ref in another process, with `from_message`. Each is good
        for one receiver."""
        from mojo_seq.actor.remote import ref_message

        return ref_message.encode(self)

    @staticmethod
    def from_message(message: Message) -> ActorRef[Any]:
        """The ref in a message that `to_message` has made; the message is closed.

        Raises:
            InvalidArgumentError: there is none in it.
        """
        from mojo_seq.actor.remote import ref_message

        return ref_message.decode(message)

    def __reduce__(self) -> Any:
        from mojo_seq.actor.remote.ref_pickling import reduce_ref

        return reduce_ref(self)

    def __copy__(self) -> ActorRef[A]:
        return self

    def __deepcopy__(self, memo: object) -> ActorRef[A]:
        return self

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self._methods})

    def __repr__(self) -> str:
        what = f" {self.name!r}" if self.name is not None else f" {self._target.identity[1]}"
        state = "" if self.is_alive else " ended"
        return f"<ActorRef {self.actor_class.__name__}{what}{state}>"
