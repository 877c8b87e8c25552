"""ActorTaskGroup: calls of an actor pool that never outlive a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from mojo_seq.actor.actor import Actor
from mojo_seq.sequence.task_group import TaskGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import overload

    from mojo_seq.actor.actor_call import ActorCall
    from mojo_seq.actor.actor_pool import ActorPool
    from mojo_seq.sequence.cancellation import Cancellation
    from mojo_seq.sequence.task_future import TaskFuture

    _B = TypeVar("_B", bound=Actor)
    _P = ParamSpec("_P")
    _T = TypeVar("_T")

A = TypeVar("A", bound=Actor)


class ActorTaskGroup(TaskGroup, Generic[A]):
    """A TaskGroup whose `submit` takes methods of the actors, as `ActorPool.submit` does."""

    def __init__(self, pool: ActorPool[A], *, grace: float) -> None:
        super().__init__(_Calls(pool), grace=grace)

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def submit(
            self: ActorTaskGroup[_B],
            fn: Callable[Concatenate[_B, _P], Coroutine[Any, Any, _T]],
            /,
            *args: _P.args,
            **kwargs: _P.kwargs,
        ) -> TaskFuture[_T]: ...
        @overload
        def submit(
            self: ActorTaskGroup[_B],
            fn: Callable[Concatenate[_B, _P], _T],
            /,
            *args: _P.args,
            **kwargs: _P.kwargs,
        ) -> TaskFuture[_T]: ...
        @overload
        def submit(self, fn: str, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]: ...
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]: ...


class _Calls:
    """What the group starts its tasks with."""

    can_kill = False

    def __init__(self, pool: ActorPool[Any]) -> None:
        self._pool = pool

    def start(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        scope: Cancellation,
    ) -> ActorCall:
        """Starts a call."""
        return self._pool._start(fn, args, kwargs, scope)

    def help(self, tasks: Callable[[], Iterable[Any]]) -> bool:
        """Only actors run these."""
        return False
