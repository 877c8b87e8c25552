"""Reply: what asking an actor returns."""

from __future__ import annotations

from concurrent.futures import Future
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq import _core
from mojo_seq.actor import awaiting
from mojo_seq.actor.actor_ref import ActorRef

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from threading import Condition
    from typing import Self

T = TypeVar("T")


class Reply(_core.ReplyBase, Future[T]):  # type: ignore[override]
    """The answer to an ask: a concurrent.futures.Future that can also be awaited.

    `result(timeout)` blocks a thread; `await reply` works under asyncio, trio and in `async def`
    methods of actors, and blocks no loop. It costs no lock: the core completes it and wakes who
    waits. `concurrent.futures.wait`, `as_completed` and `add_done_callback` work as for any future.
    """

    if TYPE_CHECKING:
        # As concurrent.futures.wait and as_completed see it.
        _condition: Condition
        _state: str
        _waiters: list[Any]

        def result(self, timeout: float | None = None) -> T: ...
        def exception(self, timeout: float | None = None) -> BaseException | None: ...
        def add_done_callback(self, fn: Callable[[Self], object]) -> None: ...
        def __await__(self) -> Generator[Any, None, T]: ...


_core.set_reply_functions(awaiting.await_in_trio, awaiting.mailbox)
_core.set_mailbox_classes(CoroutineType, Reply, ActorRef)
