"""Awaiting handles in an event loop: asyncio, trio, or anyio on either."""

from __future__ import annotations

import itertools
import sys

from mojo_seq import _core

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import TypeAlias

    _Outcome: TypeAlias = tuple[_core.Result, _core.SignalsState]

__all__ = ["wait"]


async def wait(handle: _core.Handle, signals: _core.Signals | int) -> _Outcome:
    """Waits until any of `signals` is satisfied, or none can be any more, in the running loop.

    Cancelling the waiting task ends the watch.

    Args:
        handle: a message pipe or data pipe handle.
        signals: what to wait for.

    Returns:
        (Result, SignalsState): as `mojo_seq.wait`, but never DEADLINE_EXCEEDED: use the timeouts
        of the event loop.

    Raises:
        InvalidArgumentError: the handle is closed, sent or has no signals.
        RuntimeError: neither asyncio nor trio is running here.
    """
    if in_trio_task():
        return await _wait_in_trio(handle, signals)
    return await _wait_in_asyncio(handle, signals)


def in_trio_task() -> bool:
    """Whether trio runs here, and not asyncio."""
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


async def _wait_in_asyncio(handle: _core.Handle, signals: _core.Signals | int) -> _Outcome:
    import asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Outcome] = loop.create_future()

    def settle(outcome: _Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    def notify(
        context: object,
        result: _core.Result,
        state: _core.SignalsState,
        flags: _core.NotificationFlags,
    ) -> None:
        # Our own closing of the watcher, or a loop that was closed with the task in it.
        if not future.done() and not loop.is_closed():
            loop.call_soon_threadsafe(settle, (result, state))

    with _core.Watcher(notify) as watcher:
        ready = _watch(watcher, handle, signals)
        if ready is not None:
            future.cancel()
            return ready
        return await future


async def _wait_in_trio(handle: _core.Handle, signals: _core.Signals | int) -> _Outcome:
    import trio

    token = trio.lowlevel.current_trio_token()
    event = trio.Event()
    outcomes: list[_Outcome] = []

    def settle(outcome: _Outcome) -> None:
        outcomes.append(outcome)
        event.set()

    def notify(
        context: object,
        result: _core.Result,
        state: _core.SignalsState,
        flags: _core.NotificationFlags,
    ) -> None:
        if not closing:
            try:
                token.run_sync_soon(settle, (result, state))
            except trio.RunFinishedError:
                return  # nobody waits any more

    closing = False
    with _core.Watcher(notify) as watcher:
        ready = _watch(watcher, handle, signals)
        try:
            if ready is not None:
                await trio.lowlevel.checkpoint()
                return ready
            await event.wait()
        finally:
            closing = True
    return outcomes[0]


def _watch(
    watcher: _core.Watcher, handle: _core.Handle, signals: _core.Signals | int
) -> _Outcome | None:
    """Watches and arms; what is ready already, if anything is."""
    watcher.watch(handle, signals, None)
    try:
        ready = watcher.arm(1)
    except _core.NotFoundError:
        return None  # closed just now; CANCELLED is on its way
    return (ready[0].result, ready[0].state) if ready else None


_receives = itertools.count(1)


async def checkpoint() -> None:
    """Before each receive, and the like. Under trio every call lets others run and can be
    cancelled. asyncio expects less; there a full pipe must only not starve the loop."""
    if in_trio_task():
        await sys.modules["trio"].lowlevel.checkpoint()
    elif next(_receives) % 64 == 0:
        import asyncio

        await asyncio.sleep(0)


_core.set_async_functions(wait, checkpoint)
