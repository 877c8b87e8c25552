"""Probe: an actor that a test plays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from mojo_seq import _core
from mojo_seq.actor import Actor, ActorDeadError, ActorRef, ActorSystem, Reply
from mojo_seq.actor.actor import methods_of
from mojo_seq.watch import WaitableEvent

if TYPE_CHECKING:
    from mojo_seq.actor import StopReason

A = TypeVar("A", bound=Actor)

_NAMES_OF_ACTORS = frozenset(dir(Actor))


class ProbeMessage:
    """What a Probe was asked or told.

    Attributes:
        method: its name.
        args: its positional arguments.
        kwargs: its keyword arguments.
        is_ask: False: it was told, and nobody waits for an answer.
    """

    __slots__ = ("_reply", "args", "is_ask", "kwargs", "method")

    def __init__(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], is_ask: bool
    ) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.is_ask = is_ask
        self._reply: Reply[Any] = Reply()

    def answer(self, result: object) -> None:
        """Completes the ask. Any thread.

        Raises:
            RuntimeError: it was told, not asked, or has been answered.
        """
        self._check(self.is_ask and self._reply.succeed(result))

    def fail(self, error: BaseException) -> None:
        """Completes the ask with an exception. Any thread.

        Raises:
            RuntimeError: it was told, not asked, or has been answered.
        """
        self._check(self.is_ask and self._reply.fail(error))

    def _check(self, completed: bool) -> None:
        if not completed:
            raise RuntimeError(f"{self!r} {'was answered' if self.is_ask else 'was told'}")

    def __repr__(self) -> str:
        arguments = [
            *map(repr, self.args),
            *(f"{key}={each!r}" for key, each in self.kwargs.items()),
        ]
        return f"<ProbeMessage {self.method}({', '.join(arguments)})>"


class Probe(Generic[A]):
    """Stands for an actor in a test: others ask and tell it, and the test sees with what.

    Its actor runs on a sequence of its own, and handles each message at once; asks wait until the
    test answers them. To be used by the test's thread, in a TaskEnvironment or not: timeouts are
    of mock time there.

    Args:
        system: where it is spawned.
        actor_class: the class that it stands for; its ref has the same methods. None: its ref
            takes any message.
        name: the actor's name.
    """

    def __init__(
        self, system: ActorSystem, actor_class: type[A] | None = None, *, name: str | None = None
    ) -> None:
        if not isinstance(system, ActorSystem):
            raise TypeError(f"system must be an ActorSystem, not {type(system).__name__}")
        if actor_class is not None and not (
            isinstance(actor_class, type) and issubclass(actor_class, Actor)
        ):
            raise TypeError(f"actor_class must be a subclass of Actor, not {actor_class!r}")
        self._messages: list[ProbeMessage] = []
        self._expected = 0  # so many of them have been taken by expect()
        self._news = WaitableEvent(manual_reset=False)
        target = system.spawn(_ProbeActor, self._messages, self._news, name=name)._target
        if actor_class is None:
            self._ref: ActorRef[Any] = _AnyRef(target, frozenset())
        else:
            self._ref = ActorRef(target, methods_of(actor_class))

    @property
    def ref(self) -> ActorRef[A]:
        """What others take for the actor."""
        return cast("ActorRef[A]", self._ref)

    @property
    def messages(self) -> list[ProbeMessage]:
        """All that has been received, in order."""
        return list(self._messages)

    def expect(self, method: str | None = None, timeout: float = 3.0) -> ProbeMessage:
        """Waits for the next message, after those that were expected before.

        Args:
            method: its name; None: any.
            timeout: seconds.

        Raises:
            AssertionError: none came in time, or it calls another method.
        """
        end = _core.monotonic() + timeout
        while self._expected == len(self._messages):
            remaining = end - _core.monotonic()
            if not self._news.wait(max(0.0, remaining)) and remaining <= 0:
                wanted = "a message" if method is None else f"{method!r}"
                raise AssertionError(f"expected {wanted}, got nothing in {timeout} seconds")
        message = self._messages[self._expected]
        if method is not None and message.method != method:
            raise AssertionError(f"expected {method!r}, got {message!r}")
        self._expected += 1
        return message

    def expect_nothing(self, seconds: float = 0.0) -> None:
        """Checks that no message comes, but those that were expected.

        Args:
            seconds: for so long; in a TaskEnvironment, all that is ready runs first.

        Raises:
            AssertionError: one came.
        """
        environment = _core.current_environment()
        if environment is not None:
            environment.advance(seconds)
        else:
            end = _core.monotonic() + seconds
            while self._expected == len(self._messages):
                if not self._news.wait(max(0.0, end - _core.monotonic())):
                    break
        if self._expected < len(self._messages):
            raise AssertionError(f"expected nothing, got {self._messages[self._expected]!r}")

    def __repr__(self) -> str:
        return f"<Probe {self._ref!r}>"


class _ProbeActor(Actor):
    """Has any method, and returns a Reply from each that the test completes."""

    def __init__(self, messages: list[ProbeMessage], news: WaitableEvent) -> None:
        self._messages = messages
        self._news = news

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._receive, name)

    def _receive(self, method: str, /, *args: Any, **kwargs: Any) -> Reply[Any]:
        is_ask = self._spawned().current_chain() is not None
        message = ProbeMessage(method, args, kwargs, is_ask)
        self._messages.append(message)
        self._news.signal()
        return message._reply

    def on_stop(self, reason: StopReason) -> None:
        """Nobody will answer any more."""
        for message in self._messages:
            message._reply.fail(ActorDeadError("the probe has ended"))


class _AnyRef(ActorRef[Any]):
    """A ref with every method."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return _AnyMethod(self, self._method_name(name))

    def _method_name(self, method: Any) -> str:
        name: Any = method if isinstance(method, str) else getattr(method, "__name__", None)
        if not isinstance(name, str):
            raise TypeError(f"expected the name of a method or a method, not {method!r}")
        if name.startswith("_") or name in _NAMES_OF_ACTORS:
            raise AttributeError(f"{name!r} is no message")
        return name


class _AnyMethod:
    """As ActorMethod."""

    __slots__ = ("_name", "_ref")

    def __init__(self, ref: _AnyRef, name: str) -> None:
        self._ref = ref
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Reply[Any]:
        return self._ref.ask(self._name, *args, **kwargs)

    def tell(self, *args: Any, **kwargs: Any) -> None:
        self._ref.tell(self._name, *args, **kwargs)
