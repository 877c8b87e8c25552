"""wait_in_scope: waiting for a future no longer than the scope allows that the caller is in."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.sequence.cancellation import innermost, raise_if_cancelled

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any


def wait_in_scope(future: Future[Any], timeout: float | None) -> bool:
    """Blocks until the future is done, which also runs a test environment if there is one.

    It costs next to nothing outside of scopes, where it leaves the waiting to the future itself.

    Returns:
        bool: False if nothing was done: the caller is in no scope, no task, and no environment.

    Raises:
        CancelledError: the scope, group or task that the caller is in is cancelled, and the future
            is not done.
        DeadlineExceededError: the time was up first.
    """
    node = innermost()
    if node is None and _core.current_environment() is None:
        return False
    if future.done():
        return True
    event = _core.WaitableEvent()
    waiter = _Waiter(event)
    end = None if timeout is None else _core.monotonic() + timeout
    if node is not None:
        node.listen(event, event.signal)
    with future._condition:
        waiters: list[Any] = future._waiters
        waiters.append(waiter)
    try:
        # Looked at after both know of the event, so that nothing is missed.
        while not future.done():
            raise_if_cancelled(node)
            if end is not None and _core.monotonic() >= end:
                raise _core.DeadlineExceededError("the result did not come in time")
            if node is None:
                event.wait(None if end is None else max(0.0, end - _core.monotonic()))
            else:
                event.wait(node.next_look(end))
        return True
    finally:
        with future._condition:
            waiters.remove(waiter)
        if node is not None:
            node.unlisten(event)


class _Waiter:
    """What a future tells of its end, as of `concurrent.futures.wait`; unlike done callbacks it
    can be taken back."""

    __slots__ = ("_bell", "event")

    def __init__(self, event: _core.WaitableEvent) -> None:
        self._bell = event
        self.event: Any = None  # an environment puts one here

    def add_result(self, _: object) -> None:
        self._bell.signal()

    add_exception = add_cancelled = add_result
