"""ActorCall: a call of an actor pool, and its future."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from mojo_seq import _core
from mojo_seq.sequence import cancellation
from mojo_seq.sequence.cancel_errors import is_cancelled_error
from mojo_seq.sequence.local_future import LocalFuture

if TYPE_CHECKING:
    from collections.abc import Callable

    from mojo_seq.actor.actor_ref import ActorRef
    from mojo_seq.actor.reply import Reply
    from mojo_seq.sequence.running_task import TaskState


class ActorCall(LocalFuture[Any]):
    """Waits in the pool's queue until an actor is idle, and is one message to it then."""

    def __init__(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], state: TaskState
    ) -> None:
        super().__init__()
        self._message: Any = (method, args, kwargs)  # until it is sent or cancelled
        self._task_state = state
        self._context = copy_context()

    def send(self, ref: ActorRef[Any], then: Callable[[], object]) -> bool:
        """Asks an idle actor; calls `then` when that has answered, on any thread.

        Returns:
            bool: False if it was cancelled; then nothing is done.
        """
        if not self.begin():
            return False
        message, self._message = self._message, None
        state = self._task_state
        # In its own process the method finds its task by the context variables that the message
        # brings, which say so for this actor only.
        state._cell = ref._target

        def ask() -> Reply[Any]:
            cancellation.enter(state)
            reply: Reply[Any] = _core.ask(ref._target, *message)
            return reply

        def finish(reply: Reply[Any]) -> None:
            try:
                self._finish(reply)
            finally:
                then()

        try:
            reply = self._context.run(ask)
        except BaseException as error:
            self.set_exception(error)
            then()
            del self  # the error refers to this frame, and this object to the error
        else:
            reply.add_done_callback(finish)
        return True

    def _finish(self, reply: Reply[Any]) -> None:
        state = self._task_state
        state.end()
        if reply.cancelled():
            self.finish_cancelled()
            return
        error = reply.exception()
        if error is None:
            self.set_result(reply.result())
        elif is_cancelled_error(error) and state.is_cancelled():
            self.finish_cancelled()
        else:
            self.set_exception(error)

    def fail(self, error: BaseException) -> None:
        """It cannot be sent any more."""
        if self.begin():
            self._message = None
            self.set_exception(error)

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            self._message = None
        return cancelled

    def request_cancel(self) -> None:
        if not self.cancel():
            self._task_state.cancel()
