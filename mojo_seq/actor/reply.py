"""Reply: what asking an actor returns."""

from __future__ import annotations

from concurrent.futures import Future
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from mojo_seq import _core
from mojo_seq.actor import awaiting
from mojo_seq.actor.actor_ref import ActorRef

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")


class Reply(_core.ReplyBase, Future[T]):  # type: ignore[misc, override]
    """The answer to an ask: a concurrent.futures.Future that can also be awaited.

    `result(timeout)` blocks a thread; `await reply` works under asyncio, trio and in `async def`
    methods of actors, and blocks no loop. It costs no lock: the core completes it and wakes who
    waits. `concurrent.futures.wait`, `as_completed` and `add_done_callback` work as for any future.
    """

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, None, T]: ...


_core.set_reply_functions(awaiting.await_in_trio, awaiting.mailbox)
_core.set_mailbox_classes(CoroutineType, Reply, ActorRef)
