"""How a SequenceEventLoop ends what goes on in it."""

from __future__ import annotations

import asyncio
from time import monotonic

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.sequence.sequence_event_loop import SequenceEventLoop

# A task may catch its cancellation and wait once more, and be cancelled once more.
_CANCELLATIONS = 4
# A callback may call itself again and again.
_TURNS = 200
# How long a killed process may take to be gone.
_SECONDS_TO_DIE = 2.0
_POLL = 0.002


def end_everything(loop: SequenceEventLoop) -> None:
    """Runs the loop on the calling thread until nothing is left in it, or what is left refuses."""
    for _ in range(_CANCELLATIONS):
        alive = loop._tasks_to_do()
        if not alive:
            break
        for task in alive:
            task.cancel("the event loop is being closed")
        _run_until_idle(loop)
    _end_processes(loop)
    _end_transports(loop)
    _run_until_idle(loop)
    if loop._asyncgens:
        loop.create_task(loop.shutdown_asyncgens())
        _run_until_idle(loop)
    for task in loop._tasks_to_do():
        message = "a task goes on, cancelled as it is, while its event loop is closed"
        loop.call_exception_handler({"message": message, "task": task})


def _run_until_idle(loop: SequenceEventLoop) -> None:
    for _ in range(_TURNS):
        if not loop._ready:
            break
        loop._run_ready()


def _end_processes(loop: SequenceEventLoop) -> None:
    """Kills the subprocesses that are left. Waits until asyncio has heard of their end: what it
    waits with, a thread or a descriptor, ends only then."""
    transports = [made for each in loop._subprocesses if (made := each()) is not None]
    for transport in transports:
        transport.close()  # kills it
    deadline = monotonic() + _SECONDS_TO_DIE
    while any(each.get_returncode() is None for each in transports) and monotonic() < deadline:
        loop._process_events(loop._selector.select(_POLL))
        _run_until_idle(loop)


def _end_transports(loop: SequenceEventLoop) -> None:
    for key in list(loop._selector.get_map().values()):
        for handle in key.data:
            for owner in _owners(handle):
                if isinstance(owner, asyncio.AbstractServer):
                    owner.close()
                elif isinstance(owner, asyncio.WriteTransport):
                    owner.abort()
                elif isinstance(owner, asyncio.BaseTransport):
                    owner.close()


def _owners(handle: asyncio.Handle | None) -> list[object]:
    """What waits for I/O by this handle: a transport by a method, a server by an argument."""
    if handle is None or handle.cancelled():
        return []
    callback = handle._callback  # type: ignore[attr-defined]
    return [getattr(callback, "__self__", None), *handle._args]
