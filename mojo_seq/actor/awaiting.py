"""What awaiting a Reply needs besides the core."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mojo_seq import _core

mailbox: ContextVar[_core.Mailbox | None] = ContextVar("mojo_seq_mailbox")
"""In the tasks of an `async def` method that the actor's other messages wait for: its cell."""


async def await_in_trio(reply: _core.ReplyBase) -> Any:
    """Waits in a trio task."""
    import trio

    await trio.lowlevel.checkpoint_if_cancelled()
    if not reply.done():
        token = trio.lowlevel.current_trio_token()
        task = trio.lowlevel.current_task()
        waiting = True

        def wake() -> None:
            nonlocal waiting
            if waiting:
                waiting = False
                trio.lowlevel.reschedule(task)

        def on_done(_: object) -> None:
            try:
                token.run_sync_soon(wake)
            except trio.RunFinishedError:
                return  # nobody waits any more

        def abort(_: object) -> trio.lowlevel.Abort:
            nonlocal waiting
            waiting = False
            reply.cancel()
            return trio.lowlevel.Abort.SUCCEEDED

        reply.send_if_held_back()
        reply.add_done_callback(on_done)
        await trio.lowlevel.wait_task_rescheduled(abort)
    return reply.result()
